"""The vocabulary of street labels as the SQL function ``rue_normalisee``, which finds a street however people spell it.

Belongs here: the text of that function, which a migration contains (``python -m edu_pipeline.sectors.in_sql`` prints
it). Does not belong here: the vocabulary (``street_words.py``) and what words are read as (``labels.py``).

The function reads word by word: types, titles, short forms, small words, numbers. Numbers of several words (``VINGT ET
UN``), which ``labels.read`` puts together, stay apart. Both sides of a comparison go through it, so that a label always
finds itself.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator

from psycopg import sql

from edu_pipeline.sectors import labels, street_words

ACCENTED = "ÀÁÂÃÄÅÇÈÉÊËÌÍÎÏÑÒÓÔÕÖÙÚÛÜÝŸàáâãäåçèéêëìíîïñòóôõöùúûüýÿ"
LIGATURES = {"Œ": "OE", "œ": "OE", "Æ": "AE", "æ": "AE", "&": " ET "}
BRACKETS = r"\([^)]*\)"
ORDINAL = rf"^0*{labels.ORDINAL.pattern}?$"

TENS, UNITS = ("", "X", "XX", "XXX"), ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
ROMAN = [ten + unit for ten in TENS for unit in UNITS if ten + unit]
"""I to XXXIX."""

FUNCTION = sql.SQL(
    """CREATE OR REPLACE FUNCTION rue_normalisee(libelle text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    WITH written AS (
        SELECT ' ' || array_to_string(array(
            SELECT found[1]
            FROM regexp_matches(upper(translate({letters}, {accented}, {bare})), {token}, 'g') AS found
        ), ' ') || ' ' AS text
    ), split AS (
        SELECT string_to_array(btrim({phrases}), ' ') AS words FROM written
    ), vocabulary AS (
        SELECT
            {first}::jsonb AS first,
            {last}::jsonb AS last,
            {words}::jsonb AS words
    ), read AS (
        SELECT string_agg(coalesce(
            CASE WHEN place = 1 AND cardinality(split.words) > 1 THEN first ->> word END,
            CASE WHEN place > 1 AND place = cardinality(split.words) THEN last ->> word END,
            vocabulary.words ->> word,
            regexp_replace(word, {ordinal}, '\\1')
        ), '' ORDER BY place) AS name
        FROM split CROSS JOIN vocabulary CROSS JOIN unnest(split.words) WITH ORDINALITY AS each (word, place)
    )
    SELECT coalesce(nullif(read.name, ''), btrim(written.text)) FROM read CROSS JOIN written;
END;
"""
)


def function() -> str:
    """The statement that creates the function."""
    bare = "".join(unicodedata.normalize("NFKD", letter)[0].upper() for letter in ACCENTED)
    return FUNCTION.format(
        letters=_replaced(sql.SQL("regexp_replace($1, {}, ' ', 'g')").format(BRACKETS), LIGATURES.items()),
        accented=ACCENTED,
        bare=bare,
        token=labels.TOKEN.pattern,
        phrases=_replaced(sql.SQL("text"), _phrases()),
        first=json.dumps(first_words()),
        last=json.dumps(last_words()),
        words=json.dumps(words()),
        ordinal=ORDINAL,
    ).as_string()


def first_words() -> dict[str, str]:
    """What the first of several words is read as, if not as itself: types of street."""
    readings = ((word, labels.read(f"{word} YY").content.removesuffix("YY")) for word in [*street_words.TYPES, "LE"])
    return _without_itself(readings)


def last_words() -> dict[str, str]:
    """What the last word is read as, if not as itself: Roman numerals."""
    readings = ((word, labels.read(f"RUE YY {word}").content.removeprefix("RUEYY")) for word in ROMAN)
    return _without_itself(readings)


def words() -> dict[str, str]:
    """What any word is read as, if not as itself: titles, short forms, small words, numbers."""
    plurals = [f"{title}S" for title in street_words.TITLES]
    ordinals = [f"{beginning}IEME" for beginning in street_words.ORDINALS]
    roman = [f"{number}{end}" for number in ROMAN for end in ("", "E", "ER", "ERE", "EME", "IEME")]
    numbers = [*street_words.NUMBERS, "PREMIER", "PREMIERE", *ordinals, *roman]
    known = [*street_words.TITLES, *plurals, *street_words.SHORT, *sorted(street_words.SMALL), *numbers]
    contents = ((word, labels.read(f"RUE YY {word} YY").content) for word in dict.fromkeys(known))
    return _without_itself((word, text.removeprefix("RUEYY").removesuffix("YY")) for word, text in contents)


def _phrases() -> Iterator[tuple[str, str]]:
    for written, meant in (*street_words.SAME_TYPE.items(), *street_words.PHRASES):
        yield f" {written} ", f" {meant} "


def _without_itself(readings: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {word: reading for word, reading in readings if word != reading}


def _replaced(value: sql.Composable, replacements: Iterable[tuple[str, str]]) -> sql.Composable:
    for written, meant in replacements:
        value = sql.SQL("replace({}, {}, {})").format(value, written, meant)
    return value


if __name__ == "__main__":
    print(function(), end="")

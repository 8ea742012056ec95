"""Which street of the Base Adresse Nationale (BAN) a label of the carte scolaire means, commune by commune.

Belongs here: the streets of a commune as an index of their labels (``Streets``), when two labels are one street,
exactly or closely, and a whole frame of labels matched (``match``). Does not belong here: how a label is read
(``labels.py``), where the street lies (``placing.py``).

Of a frame most labels are the street's own, word by word, once they are read: joins find these. The index is for the
rest, and of the streets that a label of the rest may mean.

A street is matched exactly if both labels have the same words once they are read, and one street alone has them. If
none has, it is matched closely: what differs must be a kind of difference that the same street shows in two files (a
first name as an initial, a label cut off, a title or a year left out, one word misspelt), and no other street may be
nearly as close. All else is another street: ``RUE DU BAC`` is not ``RUE DU LAC``, however many letters they share.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import polars as pl
from rapidfuzz import fuzz, process

from edu_pipeline.sectors.labels import MONTHS, YEAR, Label, read

ALIKE = 90.0
"""What two spellings of a word must have in common at least, in percent (rapidfuzz's ratio), to be one word.

``bench/street_labels.py`` prints precision and recall for other thresholds.
"""

WORTH_A_LOOK = 50.0
"""Labels of one type with less in common, in percent, are not compared word by word."""

CLEARLY = 5.0
"""The score by which a close match must be ahead of the second best."""

SHORTEST, SHORTEST_ALONE = 7, 9
"""Letters at least of a word that may be misspelt, beside other words and alone: Rennes has a RUE DE LA NOUETTE and a
RUE NOGUETTE."""

CUT = (25, 26)
"""Characters of a name, without its type, that may have been cut off.

The carte scolaire's labels come from FANTOIR, the tax office's file of streets, which has 26 for a name; a blank at
its end is lost.
"""

CLOSEST = 3
"""Streets that a reason names."""

SEPARATOR = "\x1f"
"""Stands between keys in one text: it is in none."""

MATCHED = {
    "code_commune": pl.String, "libelle_rue": pl.String, "street": pl.UInt32, "match_method": pl.String,
    "match_score": pl.Float64, "reason": pl.String,
}  # fmt: skip
"""The columns that ``match`` gives."""


Words = tuple[str, ...]


class Match(NamedTuple):
    """What became of a label: the street, how and how well it was matched, or why it was not (no reason: nothing is
    like it)."""

    street: int | None = None
    method: str | None = None
    score: float | None = None
    reason: str | None = None


class Streets:
    """The streets of one commune.

    Args:
        code: the commune.
        names: number of the street, its ``nom_voie`` and ``nom_afnor``; the first that is there is its name.
    """

    def __init__(self, code: str, names: Iterable[tuple[int, str | None, str | None]]) -> None:
        self.code = code
        self.names: dict[int, str] = {}
        self._labels: dict[int, list[Label]] = defaultdict(list)
        self._exact: dict[str, set[int]] = defaultdict(set)
        self._alike: dict[str, dict[int, str]] = defaultdict(dict)
        for street, *both in names:
            for name in filter(None, both):
                self.names.setdefault(street, name)
                label = read(name)
                if label in self._labels[street]:
                    continue
                self._labels[street].append(label)
                for key in exact_keys(label):
                    self._exact[key].add(street)
                for key in close_keys(label, of_street=True):
                    self._alike[key].setdefault(street, "".join(label.words))

    def find(self, text: str) -> Match:
        """The street that ``text`` means."""
        label = read(text)
        return self._same(text, label) or self._close(text, label) or Match()

    def _same(self, text: str, label: Label) -> Match | None:
        for key in exact_keys(label):
            found = [street for street in sorted(self._exact.get(key, ())) if self._agrees(label, street)]
            if len(found) == 1:
                return Match(found[0], "exact", 100.0)
            if found:
                return self._ambiguous(text, found)
        return None

    def _agrees(self, label: Label, street: int) -> bool:
        return any(same_number(label, other) for other in self._labels[street])

    def _close(self, text: str, label: Label) -> Match | None:
        alike: dict[int, str] = {}
        for key in close_keys(label, of_street=False):
            alike |= self._alike.get(key, {})
        candidates = process.extract(
            "".join(label.words), alike, scorer=fuzz.ratio, score_cutoff=WORTH_A_LOOK, limit=None
        )
        close = [
            (score, street)
            for _, score, street in candidates
            if any(likeness(label, other) >= ALIKE for other in self._labels[street])
        ]
        if not close:
            return None
        best = close[0][0]
        rivals = [street for score, street in close if best - score < CLEARLY]
        return Match(rivals[0], "close", best) if len(rivals) == 1 else self._ambiguous(text, rivals)

    def _ambiguous(self, text: str, streets: Sequence[int]) -> Match:
        names = ", ".join(self.names[street] for street in streets[:CLOSEST])
        return Match(reason=f"{text} may be any of {len(streets)} streets of {self.code}: {names}")


def match(labels: pl.DataFrame, streets: pl.DataFrame) -> pl.DataFrame:
    """Match the labels of any number of communes with the streets of the same communes.

    Args:
        labels: columns ``code_commune`` and ``libelle_rue``, one row per label or more.
        streets: columns ``code_insee``, ``street`` (the caller's number of a street), ``nom_voie``, ``nom_afnor``; a
            street may have several rows, one per spelling.

    Returns:
        One row per commune and label, the columns ``MATCHED``, those that are a street's word by word first; ``reason``
        says why ``street`` is NULL.
    """
    wanted = labels.select("code_commune", "libelle_rue").unique(maintain_order=True)
    names = streets.select("code_insee", "street", "nom_voie", "nom_afnor")
    spelt = names.unpivot(["nom_voie", "nom_afnor"], index=["code_insee", "street"], value_name="text")
    wanted = wanted.join(
        _readings(wanted["libelle_rue"], of_street=False), left_on="libelle_rue", right_on="text", how="left",
        maintain_order="left",
    )  # fmt: skip
    spellings = spelt.join(_readings(spelt["text"], of_street=True), on="text").rename({"code_insee": "code_commune"})
    same = _word_by_word(wanted, spellings)
    rest = wanted.join(same, on=["code_commune", "libelle_rue"], how="anti", maintain_order="left")
    return pl.concat([same, pl.DataFrame(_one_by_one(rest, names, spellings), MATCHED, orient="row")])


def _readings(texts: pl.Series, *, of_street: bool) -> pl.DataFrame:
    """Every text that names a street once, with what ``read`` makes of it: ``spaced``, ``links`` (as text), and the
    keys ``exact`` and ``close`` (lists)."""
    once = texts.drop_nulls().unique()
    columns = zip(*(_reading(text, of_street) for text in once), strict=True) if len(once) else [()] * 4
    values = dict(zip(("spaced", "links", "exact", "close"), columns, strict=True))
    frame = pl.DataFrame(
        {"text": once, **{name: pl.Series(column, dtype=pl.String) for name, column in values.items()}}
    )
    return frame.filter(pl.col("spaced") != "").with_columns(pl.col("exact", "close").str.split(SEPARATOR))


@lru_cache(maxsize=1 << 16)
def _reading(text: str, of_street: bool) -> tuple[str, str, str, str]:
    label = read(text)
    links, exact, close = map(SEPARATOR.join, (label.links, exact_keys(label), close_keys(label, of_street=of_street)))
    return label.spaced, links, exact, close


def _word_by_word(wanted: pl.DataFrame, spellings: pl.DataFrame) -> pl.DataFrame:
    """The labels that are a street's, small words too, while no other street has that key: what ``Streets`` would find,
    in the columns ``MATCHED``."""
    keys = spellings.select("code_commune", "street", spaced="exact").explode("spaced").unique()
    alone = keys.filter(pl.struct("code_commune", "spaced").is_unique())
    return (
        wanted.join(alone, on=["code_commune", "spaced"], maintain_order="left")
        .join(spellings, on=["code_commune", "street", "spaced", "links"], how="semi", maintain_order="left")
        .select(
            "code_commune",
            "libelle_rue",
            pl.col("street").cast(MATCHED["street"]),
            match_method=pl.lit("exact"),
            match_score=pl.lit(100.0),
            reason=pl.lit(None, pl.String),
        )
    )


def _one_by_one(wanted: pl.DataFrame, names: pl.DataFrame, spellings: pl.DataFrame) -> Iterator[tuple[object, ...]]:
    """Rows of ``MATCHED`` for the labels that are read, commune by commune."""
    known = names.partition_by("code_insee", as_dict=True, include_key=False)
    possible = _possible(wanted, names, spellings).partition_by("code_insee", as_dict=True, include_key=False)
    for (code,), here in wanted.group_by("code_commune", maintain_order=True):
        index = Streets(str(code), possible[code,].iter_rows() if (code,) in possible else ())
        found = {
            text: index.find(text) if spaced is not None else Match(reason="the segment names no street")
            for text, spaced in here.select("libelle_rue", "spaced").iter_rows()
        }
        if (code,) not in known:
            found = dict.fromkeys(found, Match(reason=f"no address of commune {code} in the BAN"))
        unlike = [text for text, match in found.items() if match == Match()]
        found |= {text: Match(reason=reason) for text, reason in _unlike(unlike, str(code), known.get((code,)))}
        yield from ((code, text, *match) for text, match in found.items())


def _possible(wanted: pl.DataFrame, names: pl.DataFrame, spellings: pl.DataFrame) -> pl.DataFrame:
    """The names of the streets that have a key in common with a label of their commune."""
    by_key = [
        spellings.select("code_commune", "street", key=kind).explode("key").join(
            wanted.select("code_commune", key=kind).explode("key"), on=["code_commune", "key"], how="semi"
        )
        for kind in ("exact", "close")
    ]  # fmt: skip
    streets = pl.concat(by_key).select(code_insee="code_commune", street="street")
    return names.join(streets, on=["code_insee", "street"], how="semi", maintain_order="left")


def _unlike(texts: Sequence[str], code: str, names: pl.DataFrame | None) -> Iterator[tuple[str, str]]:
    """The labels that no street is like, each with the reason, which names the closest streets."""
    if not texts or names is None:
        return
    named = names.select("street", name=pl.coalesce("nom_voie", "nom_afnor")).unique("street", maintain_order=True)
    streets = named["name"].to_list()
    scores = process.cdist(
        [read(text).spaced for text in texts], [read(name).spaced for name in streets], scorer=fuzz.ratio, workers=-1
    )
    rows, best = np.arange(len(texts)), []
    for _ in streets[:CLOSEST]:
        best.append(scores.argmax(axis=1))
        scores[rows, best[-1]] = -1
    for text, *columns in zip(texts, *best, strict=True):
        closest = ", ".join(streets[column] for column in columns)
        yield text, f"no street like {text} among the {len(streets)} streets of {code}; closest: {closest}"


def exact_keys(label: Label) -> list[str]:
    """What two labels of one street have in common, one of these at least, to be exactly the same."""
    return list(dict.fromkeys((label.spaced, label.glued, label.content)))


@lru_cache(maxsize=1 << 16)
def close_keys(label: Label, *, of_street: bool) -> Sequence[str]:
    """What a label and a street's have in common, one of these at least, if ``likeness`` finds any in them: the type,
    and how the first and the last word begin, in letters or in sound, with and without titles and year; of a label that
    may be cut off only the first.
    """
    both = (label.words, label.untitled)
    firsts = _begins(words[:1] for words in both)
    lasts = _begins(words[-1:] for each in both for words in (each, _to_month(each)))
    whole = [f"{label.kind}|{first}|{last}" for first in firsts for last in lasts]
    cut = [f"{label.kind}|{first}" for first in firsts]
    if of_street:
        return whole + cut
    return cut if label.length in CUT else whole


def _begins(words: Iterable[Words]) -> list[str]:
    return list(dict.fromkeys(begin for each in words for word in each for begin in (word[:1], _sound(word)[:1])))


def same_number(one: Label, other: Label) -> bool:
    """Whether no word is singular in one label and plural in the other, as in RUE DE LA CROIX and RUE DES CROIX."""
    pairs = zip(reversed(one.links), reversed(other.links), strict=False)
    return all({*pair} != {"singular", "plural"} for pair in pairs)


def likeness(one: Label, other: Label) -> float:
    """How alike the words are that differ, in percent; 0 if the labels mean two streets by any of the rules.

    100 if nothing is misspelt: what differs is an initial, a cut, a title or a year.

    Args:
        one: the label that may be cut off.
    """
    if one.kind != other.kind:
        return 0.0
    words, names = _without_year(*_without_titles(one, other))
    cut = one.length in CUT and len(words) <= len(names)
    if not words or (len(words) != len(names) and not cut):
        return 0.0
    plural = one.links[-1:] == other.links[-1:] == ("plural",)
    *pairs, (last, last_name) = zip(words, names, strict=False)
    differ = [pair for pair in pairs if not _same_or_initial(*pair)]
    if (
        last != last_name
        and not (cut and last_name.startswith(last))
        and not (plural and _same_singular(last, last_name))
    ):
        differ.append((last, last_name))
    if len(differ) > 1 or not same_number(one, other):
        return 0.0
    shortest = SHORTEST_ALONE if len(words) == 1 else SHORTEST
    return min((_spelling(*pair, shortest) for pair in differ), default=100.0)


def _without_titles(one: Label, other: Label) -> tuple[Words, Words]:
    """The words of both, without the titles if one alone has them.

    What is called by its article is no person: RUE DE PARIS is not RUE DU GENERAL PARIS.
    """
    titled = [label.untitled != label.words for label in (one, other)]
    untitled = other if titled == [True, False] else one if titled == [False, True] else None
    if untitled is None or any(untitled.links[:1]):
        return one.words, other.words
    return one.untitled, other.untitled


def _without_year(words: Words, names: Words) -> tuple[Words, Words]:
    """The same without the year behind a month, if one alone has it: RUE DU 11 NOVEMBRE 1918."""
    if names[-1:] and names[-1] in MONTHS:
        return _to_month(words), names
    if words[-1:] and words[-1] in MONTHS:
        return words, _to_month(names)
    return words, names


def _to_month(words: Words) -> Words:
    return words[:-1] if words[-2:-1] and words[-2] in MONTHS and YEAR.fullmatch(words[-1]) else words


def _same_singular(one: str, other: str) -> bool:
    return one.rstrip("SX") == other.rstrip("SX")


def _same_or_initial(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return one == other or (len(short) == 1 and short.isalpha() and long.startswith(short))


def _spelling(one: str, other: str, shortest: int) -> float:
    """How alike two spellings of a word are, in percent; 0 for what is a word of its own."""
    if not (one.isalpha() and other.isalpha()) or min(len(one), len(other)) < shortest:
        return 0.0
    sound, heard = _sound(one), _sound(other)
    if sound == heard:
        return 100.0
    if sound[:1] != heard[:1] or sound.rstrip("ESX") == heard.rstrip("ESX"):  # of another gender or number
        return 0.0
    return float(fuzz.ratio(one, other))


def _sound(word: str) -> str:
    """A word without what French spelling varies in without changing how it is said."""
    for pattern, sound in SOUNDS:
        word = pattern.sub(sound, word)
    return word


SOUNDS = [
    (re.compile(pattern), sound)
    for pattern, sound in (("PH", "F"), ("S?CH", "$"), ("H", ""), ("Y", "I"), ("W", "V"), (r"(.)\1", r"\1"))
]

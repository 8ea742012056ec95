"""Which street of the Base Adresse Nationale (BAN) a label of the cartes scolaires means, commune by commune.

Belongs here: the streets of a commune, indexed by their labels (``Streets``), and matching a whole frame of labels
(``match``). Does not belong here: when two labels mean the same street (``likeness.py``), how a label is read
(``labels.py``), where the street is (``placing.py``).

Once they are read, most labels of a frame have the same words as their street: joins find these. The index is for the
others, and has only the streets that these may mean.

A street is matched exactly if it is the only one whose label has the same words. If no street has them, it is matched
closely: the labels may differ only as those of one street do in two files (a first name as an initial, a label cut off,
a title or a year left out, one word misspelt), and no other street may be nearly as close.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import polars as pl
from rapidfuzz import fuzz, process

from edu_pipeline.sectors.labels import Label, read
from edu_pipeline.sectors.likeness import ALIKE, close_keys, exact_keys, likeness, same_number

MIN_RATIO = 50.0
"""Labels of one type with less in common, in percent (rapidfuzz's ratio), are not compared word by word."""

MIN_LEAD = 5.0
"""The score by which a close match must be ahead of the second best."""

CLOSEST = 3
"""How many streets a reason names at most."""

SEPARATOR = "\x1f"
"""Separates keys in a text; no key contains it."""

MATCHED = {
    "code_commune": pl.String,
    "libelle_rue": pl.String,
    "street": pl.UInt32,
    "match_method": pl.String,
    "match_score": pl.Float64,
    "reason": pl.String,
}
"""The columns that ``match`` returns."""


class Match(NamedTuple):
    """The outcome for a label: the street, how and how well it was matched, or the reason why it was not.

    All None: no street is like it.
    """

    street: int | None = None
    method: str | None = None
    score: float | None = None
    reason: str | None = None


class Streets:
    """The streets of one commune.

    Args:
        code: the commune.
        names: number of the street, its ``nom_voie`` and ``nom_afnor``; the first that is not None is its name.
    """

    def __init__(self, code: str, names: Iterable[tuple[int, str | None, str | None]]) -> None:
        self.code = code
        self.names: dict[int, str] = {}
        self._labels: dict[int, list[Label]] = defaultdict(list)
        self._exact: dict[str, set[int]] = defaultdict(set)
        self._close: dict[str, dict[int, str]] = defaultdict(dict)
        for street, *spellings in names:
            for name in filter(None, spellings):
                self.names.setdefault(street, name)
                label = read(name)
                if label in self._labels[street]:
                    continue
                self._labels[street].append(label)
                for key in exact_keys(label):
                    self._exact[key].add(street)
                for key in close_keys(label, of_street=True):
                    self._close[key].setdefault(street, "".join(label.words))

    def find(self, text: str) -> Match:
        """The street that ``text`` means."""
        label = read(text)
        return self._exact_match(text, label) or self._close_match(text, label) or Match()

    def _exact_match(self, text: str, label: Label) -> Match | None:
        for key in exact_keys(label):
            streets = [street for street in sorted(self._exact.get(key, ())) if self._agrees(label, street)]
            if len(streets) == 1:
                return Match(streets[0], "exact", 100.0)
            if streets:
                return self._ambiguous(text, streets)
        return None

    def _agrees(self, label: Label, street: int) -> bool:
        return any(same_number(label, other) for other in self._labels[street])

    def _close_match(self, text: str, label: Label) -> Match | None:
        similar: dict[int, str] = {}
        for key in close_keys(label, of_street=False):
            similar |= self._close.get(key, {})
        candidates = process.extract(
            "".join(label.words), similar, scorer=fuzz.ratio, score_cutoff=MIN_RATIO, limit=None
        )
        close = [
            (score, street)
            for _, score, street in candidates
            if any(likeness(label, other) >= ALIKE for other in self._labels[street])
        ]
        if not close:
            return None
        best = close[0][0]
        rivals = [street for score, street in close if best - score < MIN_LEAD]
        return Match(rivals[0], "close", best) if len(rivals) == 1 else self._ambiguous(text, rivals)

    def _ambiguous(self, text: str, streets: Sequence[int]) -> Match:
        names = ", ".join(self.names[street] for street in streets[:CLOSEST])
        return Match(reason=f"{text} may be any of {len(streets)} streets of {self.code}: {names}")


def match(labels: pl.DataFrame, streets: pl.DataFrame) -> pl.DataFrame:
    """Match the labels of any number of communes with the streets of the same communes.

    Args:
        labels: columns ``code_commune`` and ``libelle_rue``, one or more rows per label.
        streets: columns ``code_insee``, ``street`` (the caller's number of a street), ``nom_voie``, ``nom_afnor``; a
            street may have several rows, one per spelling.

    Returns:
        One row per commune and label with the columns ``MATCHED``, first the labels that have the same words as a
        street; ``reason`` says why ``street`` is NULL.
    """
    wanted = labels.select("code_commune", "libelle_rue").unique(maintain_order=True)
    names = streets.select("code_insee", "street", "nom_voie", "nom_afnor")
    spelt = names.unpivot(["nom_voie", "nom_afnor"], index=["code_insee", "street"], value_name="text")
    readings = _readings(wanted["libelle_rue"], of_street=False).rename({"text": "libelle_rue"})
    wanted = wanted.join(readings, on="libelle_rue", how="left", maintain_order="left")
    spellings = spelt.join(_readings(spelt["text"], of_street=True), on="text").rename({"code_insee": "code_commune"})
    same = _word_by_word(wanted, spellings)
    rest = wanted.join(same, on=["code_commune", "libelle_rue"], how="anti", maintain_order="left")
    return pl.concat([same, pl.DataFrame(_one_by_one(rest, names, spellings), MATCHED, orient="row")])


def _readings(texts: pl.Series, *, of_street: bool) -> pl.DataFrame:
    """Every text that names a street, once, and how it is read.

    Returns:
        ``text``, ``spaced``, ``links`` (as text), and the lists of keys ``exact`` and ``close``.
    """
    distinct = texts.drop_nulls().unique()
    columns = zip(*(_reading(text, of_street) for text in distinct), strict=True) if len(distinct) else [()] * 4
    named = zip(("spaced", "links", "exact", "close"), columns, strict=True)
    frame = pl.DataFrame({"text": distinct, **{name: pl.Series(column, dtype=pl.String) for name, column in named}})
    return frame.filter(pl.col("spaced") != "").with_columns(pl.col("exact", "close").str.split(SEPARATOR))


@lru_cache(maxsize=1 << 16)
def _reading(text: str, of_street: bool) -> tuple[str, str, str, str]:
    label = read(text)
    links, exact, close = map(SEPARATOR.join, (label.links, exact_keys(label), close_keys(label, of_street=of_street)))
    return label.spaced, links, exact, close


def _word_by_word(wanted: pl.DataFrame, spellings: pl.DataFrame) -> pl.DataFrame:
    """The labels that have all the words of a street, small ones too, if no other street has that key.

    Returns:
        What ``Streets`` would find, in the columns ``MATCHED``.
    """
    keys = spellings.select("code_commune", "street", spaced="exact").explode("spaced").unique()
    unambiguous = keys.filter(pl.struct("code_commune", "spaced").is_unique())
    return (
        wanted.join(unambiguous, on=["code_commune", "spaced"], maintain_order="left")
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
    """Rows of ``MATCHED``, matched with an index for each commune.

    Args:
        wanted: the labels, with their readings.
        names: the streets, with all their spellings.
        spellings: the readings of these.
    """
    known = names.partition_by("code_insee", as_dict=True, include_key=False)
    possible = _possible(wanted, names, spellings).partition_by("code_insee", as_dict=True, include_key=False)
    for (code,), labels in wanted.group_by("code_commune", maintain_order=True):
        index = Streets(str(code), possible[code,].iter_rows() if (code,) in possible else ())
        matches = {
            text: index.find(text) if spaced is not None else Match(reason="the segment names no street")
            for text, spaced in labels.select("libelle_rue", "spaced").iter_rows()
        }
        if (code,) not in known:
            matches = dict.fromkeys(matches, Match(reason=f"no address of commune {code} in the BAN"))
        unlike = [text for text, match in matches.items() if match == Match()]
        matches |= {text: Match(reason=reason) for text, reason in _unlike(unlike, str(code), known.get((code,)))}
        yield from ((code, text, *match) for text, match in matches.items())


def _possible(wanted: pl.DataFrame, names: pl.DataFrame, spellings: pl.DataFrame) -> pl.DataFrame:
    """The names of the streets that have a key in common with a label of their commune."""
    streets = []
    for kind in ("exact", "close"):
        keys = wanted.select("code_commune", key=kind).explode("key")
        street_keys = spellings.select("street", code_insee="code_commune", key=kind).explode("key")
        streets.append(
            street_keys.join(keys, left_on=["code_insee", "key"], right_on=["code_commune", "key"], how="semi")
        )
    possible = pl.concat(streets).select("code_insee", "street")
    return names.join(possible, on=["code_insee", "street"], how="semi", maintain_order="left")


def _unlike(texts: Sequence[str], code: str, names: pl.DataFrame | None) -> Iterator[tuple[str, str]]:
    """The reason for each label that no street is like; it names the closest streets."""
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

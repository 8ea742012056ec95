"""The check ``balance``: whether the rows of a table's files went where they went in the previous load.

Belongs here: comparing two balances. Does not belong here: what stops a load (``loading/acceptance.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edu_pipeline.accounts import PUBLISHED, ROWS, UNKNOWN_WORD, summed
from edu_pipeline.checks.subject import Finding, Subject, finding
from edu_pipeline.database import ledger
from edu_pipeline.database.ledger import Load

JUMP = 0.01
"""A share has jumped if it differs by more than this from that of the previous load."""

FEW_ROWS = 10
"""A share of fewer rows than this never jumps."""


def balance(subject: Subject) -> Finding:
    """That no share of the rows of a file has jumped, and that no rule has met a word that it does not know."""
    load = subject.load
    if load is None or not load.balance:
        return Finding(True, "expected a balance of the files' rows, found a load that read no file.", {})
    other = subject.database.live or f"{subject.database.schema}__previous"
    previous = ledger.published_before(subject.connection, load, other)
    found = [*_unknown_words(load), *(_jumps(load, previous) if previous else ()), *_look_ups(load, previous)]
    text = "expected that the rows of the files go where they went in the previous load, found "
    remedy = f"See `edu-pipeline status {subject.name}`, and compare the file with its previous release."
    metadata: dict[str, Any] = {f"rows of {file}": dict(figures) for file, figures in summed(load.balance).items()}
    metadata |= {what: f"found for {found:,} of {asked:,} rows" for what, (asked, found) in load.look_ups.items()}
    return finding(not found, f"{text}{'; '.join(found) or 'that they do'}.", remedy, metadata)


def _unknown_words(load: Load) -> Iterator[str]:
    for file, fates in summed(load.balance).items():
        for fate, number in fates.items():
            if fate.startswith(UNKNOWN_WORD):
                yield f"{number:,} rows of {file} with an {fate}"


def _jumps(load: Load, previous: Load) -> Iterator[str]:
    files_before = summed(previous.balance)
    for file, fates in summed(load.balance).items():
        before = files_before.get(file, {})
        for fate in dict.fromkeys([*fates, *before]):
            now, then = _share(fates, fate), _share(before, fate)
            moved = abs(now - then) * fates.get(ROWS, 0)
            if fate not in (ROWS, PUBLISHED) and before.get(ROWS) and abs(now - then) > JUMP and moved >= FEW_ROWS:
                yield f"{now:.1%} of the rows of {file} {fate} ({then:.1%} before)"


def _look_ups(load: Load, previous: Load | None) -> Iterator[str]:
    for what, (asked, found) in load.look_ups.items():
        asked_before, found_before = previous.look_ups.get(what, (0, 0)) if previous else (0, 0)
        if asked and asked_before and found_before / asked_before - found / asked > JUMP:
            yield f"{what} for {found / asked:.1%} of {asked:,} rows ({found_before / asked_before:.1%} before)"


def _share(fates: Mapping[str, int], fate: str) -> float:
    return fates.get(fate, 0) / fates[ROWS] if fates.get(ROWS) else 0.0

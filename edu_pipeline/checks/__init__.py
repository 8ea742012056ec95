"""Checks of the rows of tables and views: are they complete, recent, and consistent with each other?

Belongs here: every check beyond the contract, nearly all of them a small query; which tables have which; their newest
results (``edu_pipeline.check_results``). Does not belong here: the expected figures (``expectations.toml``), Dagster,
keys, patterns and the like (``loading/conform.py``).

A check that looks at one table alone runs before the table's rows are published; a check between tables runs when all
loads of a run have ended. An error that the published rows do not have stops the publication, or the swap of a rebuild.
One that they have too does not: it would also keep out the rows that fix it.

Invented data is checked like the publishers' data, with one exception: a small invented country has its own
départements and académies and must be complete in them, but national row counts do not apply to it.
"""

from edu_pipeline.checks.memory import failing_checks, passing_checks, results
from edu_pipeline.checks.running import before_publication, before_swap, run, specs_of, stop_if_worse
from edu_pipeline.checks.subject import CheckResult, CheckSpec

__all__ = [
    "CheckResult",
    "CheckSpec",
    "before_publication",
    "before_swap",
    "failing_checks",
    "passing_checks",
    "results",
    "run",
    "specs_of",
    "stop_if_worse",
]

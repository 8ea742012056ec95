"""What is checked of the rows of a table or view: are they whole, recent, and in agreement with the others?

Belongs here: every check beyond the contract, all but one of them a small query, which tables have it, and the memory
of what was found (``edu_pipeline.check_results``). Does not belong here: the figures (``expectations.toml``), Dagster,
keys and patterns and the like (``publish/conform.py``).

A check that looks at one table alone is made before its rows are published; those between tables when all of a run are
loaded. An error that is new stops the publication, or the swap of a rebuild: the published rows are better. One that
the published rows have too does not, since it would keep out what mends it.

Invented data stand in for the publishers' in every check but one: a small invented country has its own départements
and académies, and must be complete in them, but no national count is meant for it.
"""

from edu_pipeline.checks.running import (
    before_publication,
    before_swap,
    failing_checks,
    passing_checks,
    run,
    specs_of,
    stop_if_worse,
)
from edu_pipeline.checks.subject import CheckResult, CheckSpec

__all__ = [
    "CheckResult",
    "CheckSpec",
    "before_publication",
    "before_swap",
    "failing_checks",
    "passing_checks",
    "run",
    "specs_of",
    "stop_if_worse",
]

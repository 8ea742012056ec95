"""The command that prunes.

Belongs here: its argument, and what is printed. Does not belong here: what is pruned (``orchestration/pruning.py``).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from edu_pipeline.cli.terminal import Column, figure, out, print_table
from edu_pipeline.settings import settings

app = typer.Typer()


@app.command("prune")
def prune_command(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
) -> None:
    """Remove what nobody needs any more.

    Releases that neither the last loads nor a promised --as-of need, failed loads, refused rows, Dagster's runs, events
    and ticks. The settings EDU_KEEP_... say what is kept; docs/operating.md has their defaults.
    """
    from edu_pipeline.cli.runs import dagster_instance
    from edu_pipeline.orchestration.pruning import prune_all

    with dagster_instance(settings()) as instance:
        outcome = prune_all(settings(), instance, datetime.now(UTC), dry_run=dry_run)
    for source in outcome.pruned.sources:
        for release in source.releases:
            out.print(f"{source.source} {release.label}", markup=False, soft_wrap=True)
    counts = outcome.counts()
    amounts = Column("would be removed" if dry_run else "removed", list(map(figure, counts.values())), 0, right=True)
    print_table([Column("what", list(counts), 0), amounts])

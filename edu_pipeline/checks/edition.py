"""The check of a table's edition: whether a publisher shows a later one than the table has.

Belongs here: what is said of the editions that a table's rows are of. Does not belong here: asking publishers
(``sources/editions.py``), the age of releases (``figures.py``).
"""

from __future__ import annotations

from edu_pipeline.checks.subject import Finding, Subject, finding
from edu_pipeline.database import probe_memory
from edu_pipeline.database.provenance import editions_of


def edition(subject: Subject) -> Finding:
    """That no publisher was last seen to have a later edition than the one that the catalogue reads."""
    editions = editions_of(subject.connection, {subject.name: subject.load} if subject.load else {}).get(
        subject.name, {}
    )
    answers = probe_memory.answers(subject.connection)
    later = {source: answers[source].later for source in editions if source in answers and answers[source].later}
    found = ", ".join(f"{source} {text}" for source, text in editions.items()) or "none loaded"
    text = f"expected the newest edition that each publisher shows, found {found}."
    remedy = (
        "Read the publisher's page. If its form is the same, change the URL in edu_pipeline/catalogue.toml; if not, "
        "add a source for the new edition. The table keeps its edition meanwhile."
    )
    return finding(not later, text, remedy, {"editions": editions, "later": later})

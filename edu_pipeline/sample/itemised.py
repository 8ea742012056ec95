"""Lists that the sample's modules hold as text: column names, words, labels.

Belongs here: reading such a list. Does not belong here: any list.
"""

from __future__ import annotations


def items(text: str) -> tuple[str, ...]:
    """The items of a list separated by semicolons, over any number of lines.

    A list of a hundred column names stays a paragraph this way, in which each name can be searched for.
    """
    return tuple(" ".join(item.split()) for item in text.strip().rstrip(";").split(";"))

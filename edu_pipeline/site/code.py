"""Python and SQL with their words in colours.

Belongs here: from text to HTML. Does not belong here: the colours (``static/site.css``).
"""

from __future__ import annotations

from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

LEXERS = {"python": "python", "sql": "postgresql"}


def coloured(text: str, language: str) -> Markup:
    """The text as HTML in which the kinds of words have classes of Pygments.

    Args:
        language: a key of ``LEXERS``.
    """
    return Markup(highlight(text, get_lexer_by_name(LEXERS[language]), HtmlFormatter(nowrap=True)))

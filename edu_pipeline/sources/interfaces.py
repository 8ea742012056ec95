"""Asking the interfaces and servers of publishers about their files, each URL once.

Belongs here: JSON answers and the answers to HEAD. Does not belong here: what they mean (``origins.py``), HTTP
(``download.py``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edu_pipeline.errors import FileInvalid
from edu_pipeline.sources.download import Head, download, head
from edu_pipeline.sources.policy import Policy
from edu_pipeline.sources.texts import without_secrets

MAX_ANSWER = 64 << 20
"""The largest answer, in bytes, that an interface may give."""


class Interfaces:
    """The interfaces and servers of publishers, or of a mirror of them.

    Args:
        folder: for answers, until they are read.
        policy: how requests are made.
        answers: answers that are known already, by URL.
    """

    def __init__(self, folder: Path, policy: Policy, answers: Mapping[str, Any] | None = None) -> None:
        self._folder, self.policy = folder, policy
        self._answers = dict(answers or {})
        self._heads: dict[str, Head] = {}

    def json(self, url: str, where: str, kind: type[dict[str, Any]] | type[list[Any]] = dict) -> Any:
        """What an interface answers, an object or a list in JSON.

        Args:
            where: source and part, for the failure texts.
            kind: which of the two is expected.

        Raises:
            DownloadFailed, DownloadRefused, PublisherUnavailable: see ``download``.
            FileInvalid: the answer is something else.
        """
        if url not in self._answers:
            self._answers[url] = self._ask(url, where, kind)
        return self._answers[url]

    def head(self, url: str, where: str) -> Head:
        """What the server says of the file at ``url``.

        Raises:
            DownloadRefused, PublisherUnavailable: see ``download.head``.
        """
        if url not in self._heads:
            self._heads[url] = head(url, policy=self.policy, where=where)
        return self._heads[url]

    def _ask(self, url: str, where: str, kind: type[dict[str, Any]] | type[list[Any]]) -> Any:
        path = self._folder / "answer.json"
        download(url, path, max_bytes=MAX_ANSWER, policy=self.policy, where=where)
        raw = path.read_bytes()
        path.unlink()
        try:
            answer = json.loads(raw)
        except ValueError:
            answer = None
        if not isinstance(answer, kind):
            raise FileInvalid(
                where,
                f"expected a JSON {'object' if kind is dict else 'list'} from {without_secrets(url)}, "
                f"found {len(raw):,} bytes that begin with {raw[:60]!r}.",
                "Fetch it again later; if it fails again, read the publisher's page about its interface.",
            )
        return answer

"""Trying again: which failures of a request may pass, and how long to wait.

Belongs here: what is transient in HTTP, and the waits between tries. Does not belong here: the requests
(``download.py``); whether a whole load is tried again (``errors.is_transient``).
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import requests

from edu_pipeline.errors import DownloadFailed, PublisherUnavailable
from edu_pipeline.sources.connections import open_session
from edu_pipeline.sources.policy import Policy, TemporaryFailure
from edu_pipeline.sources.texts import CATALOGUE, without_secrets

log = logging.getLogger(__name__)

MAX_WAIT = 120.0
"""The longest wait, in seconds, that a Retry-After header can ask for."""

TRANSIENT = (
    requests.Timeout,
    requests.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)

T = TypeVar("T")


def with_retries(request: Callable[[requests.Session], T], url: str, policy: Policy, where: str) -> T:
    """What ``request`` returns, tried again after failures that may pass.

    Args:
        request: makes the request in a session.
        url: what is requested, for the failure texts.
        where: source and part, for the failure texts.

    Raises:
        DownloadFailed: the certificate is not valid, or the URL cannot be requested.
        PublisherUnavailable: every try failed.
    """
    with open_session(policy, where) as session:
        for attempt in range(1, policy.tries + 1):
            try:
                return request(session)
            except TemporaryFailure as error:
                reason, wait = str(error), error.wait
            except TRANSIENT as error:
                reason, wait = root_cause(error), None
                if "CERTIFICATE_VERIFY_FAILED" in reason:
                    raise DownloadFailed(
                        where,
                        f"expected a valid certificate from {without_secrets(url)}, found {reason}.",
                        "If your network has its own certificate authority, name its file in REQUESTS_CA_BUNDLE.",
                    ) from error
            except requests.RequestException as error:
                raise DownloadFailed(
                    where,
                    f"expected a URL that can be requested, found {without_secrets(url)}: {root_cause(error)}.",
                    f"Correct the source's URL in {CATALOGUE}.",
                ) from error
            if attempt < policy.tries:
                seconds = wait if wait is not None else 2 ** (attempt - 1) * random.uniform(0.5, 1.5)
                log.info("%s: %s: %s; next try in %.0f s", where, without_secrets(url), reason, seconds)
                policy.sleep(seconds)
    mirror = f" at the mirror {policy.mirror_name}" if policy.mirror else ""
    raise PublisherUnavailable(
        where,
        f"expected an answer from {without_secrets(url)}{mirror} in {policy.tries} tries, found {reason}.",
        "Nothing was changed; fetch it again later. If that fails too, see the publisher's landing page.",
    )


def retry_after(header: str | None) -> float | None:
    """The seconds that a Retry-After header asks for, at most ``MAX_WAIT``; None if it asks for nothing."""
    if not header:
        return None
    if header.strip().isdigit():
        seconds = float(header)
    else:
        try:
            moment = parsedate_to_datetime(header)
        except (TypeError, ValueError):
            return None
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), MAX_WAIT)


def root_cause(error: BaseException) -> str:
    """The cause behind ``error``, whose own text would show the URL."""
    cause: BaseException | None = error
    while cause is not None:
        error, cause = cause, cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    name = type(error).__name__
    return name if isinstance(error, requests.RequestException) else f"{name}: {error}"

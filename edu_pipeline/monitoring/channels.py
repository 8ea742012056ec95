"""Where alerts go: a Slack-compatible webhook, and whatever apprise can send to (mail, Teams, Mattermost, Matrix, ...).

Belongs here: from the settings to channels, and posting to one. Does not belong here: what is posted, and when
(``alerts.py``), the form of a webhook's message (``webhook.py``).

Every URL is a secret: whoever knows it can post. It is shown nowhere, and while apprise works, its logger and that of
urllib3, which would write it to a debug log, are silent.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from apprise import Apprise, AppriseConfig, AppriseResultStatus, NotifyBase
from pydantic import SecretStr

from edu_pipeline.errors import SettingInvalid, cut
from edu_pipeline.monitoring import webhook
from edu_pipeline.settings import Settings

log = logging.getLogger(__name__)

LONGEST_TEXT = 2_800
"""Characters of a text; the shortest limit of the services that alerts are meant for is that of Slack."""

LONGEST_NAME = 60
"""Characters of a channel's name."""


class Channel(Protocol):
    """One place that alerts are posted to.

    Attributes:
        name: what is remembered of it, without the secret.
    """

    @property
    def name(self) -> str: ...

    def post(self, title: str, text: str, link: str | None) -> bool:
        """Post a message; failures are logged, not raised.

        Returns:
            Whether it was accepted.
        """
        ...


@dataclass(frozen=True)
class Webhook:
    """A Slack-compatible webhook."""

    url: SecretStr
    name: str = "webhook"

    def post(self, title: str, text: str, link: str | None) -> bool:
        """Post a message; see ``webhook.post``."""
        return webhook.post(title, text, link, self.url)


@dataclass(frozen=True)
class Service:
    """A service that apprise sends to.

    Attributes:
        tag: the tag that it must have; None: any.
    """

    server: NotifyBase = field(repr=False)
    tag: str | None = None

    @property
    def name(self) -> str:
        """The kind of service, and the beginning of apprise's hash of what identifies it."""
        return f"{self.server.service_name} {cast(Any, self.server).url_id()}"[:LONGEST_NAME]

    def post(self, title: str, text: str, link: str | None) -> bool:
        """Post a message; apprise's answer is an object, of which only the status says what became of it."""
        one = Apprise()
        one.add(self.server)
        body = "\n".join(filter(None, [cut(text, LONGEST_TEXT), link]))
        with _silent():
            result = one.notify(title=title, body=body, body_format="text", tag=self.tag or "all")
        if result.status is not AppriseResultStatus.SUCCESS:
            found = f"apprise's status {result.status.name}"
            log.warning("An alert was not posted to %s: %s. It will be tried again later.", self.name, found)
        return result.status is AppriseResultStatus.SUCCESS


def channels(settings: Settings) -> list[Channel]:
    """Every channel that the settings name; none if alerts are off.

    Raises:
        SettingInvalid: a URL is none that apprise knows, the configuration file has no usable one, or none has the tag.
    """
    found: list[Channel] = [Webhook(settings.alert_webhook)] if settings.alert_webhook else []
    with _silent():
        services = [*_of_urls(settings), *_of_file(settings)]
    tag = settings.alert_tag
    chosen = [service for service in services if tag is None or tag in service.tags]
    if services and not chosen:
        tags = sorted({str(name) for service in services for name in service.tags})
        raise SettingInvalid(
            "EDU_ALERT_TAG",
            f"expected a tag of one of the {len(services)} services, found {tag!r}; their tags: "
            f"{', '.join(tags) or 'none'}.",
            "Correct it, or unset it to alert all of them.",
        )
    return [*found, *(Service(service, tag) for service in chosen)]


def _of_urls(settings: Settings) -> list[NotifyBase]:
    """The services of EDU_ALERT_URLS."""
    urls = settings.alert_urls.get_secret_value().split() if settings.alert_urls else []
    services = {number: Apprise.instantiate(url, suppress_exceptions=True) for number, url in enumerate(urls, 1)}
    wrong = [str(number) for number, service in services.items() if service is None]
    if wrong:
        raise SettingInvalid(
            "EDU_ALERT_URLS",
            f"expected URLs that apprise knows, separated by spaces, found another text in place {', '.join(wrong)} of "
            f"{len(urls)}.",
            "See https://appriseit.com/services/ for the URL of each service.",
        )
    return [service for service in services.values() if service is not None]


def _of_file(settings: Settings) -> list[NotifyBase]:
    """The services of the configuration file of apprise, with their tags."""
    if settings.alert_config is None:
        return []
    config = AppriseConfig()
    config.add(str(settings.alert_config.absolute()))
    services: list[NotifyBase] = config.services()
    if not services:
        raise SettingInvalid(
            "EDU_ALERT_CONFIG",
            f"expected a configuration file of apprise with at least one URL, found none in {settings.alert_config}.",
            "See https://appriseit.com/config/ for its form, or unset EDU_ALERT_CONFIG.",
        )
    return services


@contextmanager
def _silent() -> Iterator[None]:
    """Keep URLs out of the log."""
    loggers = [logging.getLogger(name) for name in ("apprise", "urllib3.connectionpool")]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        yield
    finally:
        for logger, was_disabled in zip(loggers, before, strict=True):
            logger.disabled = was_disabled

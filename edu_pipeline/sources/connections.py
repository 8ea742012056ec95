"""Sessions whose connections keep to a policy.

Belongs here: the check of the address of an open socket, and what requests and urllib3 must not do unasked. Does not
belong here: which addresses are allowed (``policy.py``), the requests (``download.py``).

Proxies and .netrc of the environment are ignored: behind a proxy no address could be checked, and a publisher gets no
credentials. REQUESTS_CA_BUNDLE is honoured.
"""

from __future__ import annotations

import os
import socket
from importlib.metadata import version
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from edu_pipeline.sources.policy import Policy

USER_AGENT = f"Mozilla/5.0 (compatible; edu-pipeline/{version('edu_pipeline')})"
"""Some publishers (insee.fr) answer 403 or 500 to an agent that does not look like a browser."""

ACCEPT = "application/json, */*;q=0.9"
"""INSEE's Melodi describes its datasets in RDF unless JSON is asked for; files have but one form."""


def open_session(policy: Policy, where: str) -> requests.Session:
    """A session whose connections keep to ``policy``.

    Args:
        where: source and part, for the failure texts.
    """
    session = _Session()
    session.trust_env = False
    session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
    session.headers.update({"User-Agent": USER_AGENT, "Accept": ACCEPT, "Accept-Encoding": "gzip, deflate"})
    for scheme in ("http://", "https://"):
        session.mount(scheme, _CheckedAdapter(policy, where))
    return session


class _Session(requests.Session):
    """Leaves redirects alone: requests would parse the target and read the whole body, even unasked."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class _CheckedAdapter(HTTPAdapter):
    """Connects, and checks the peer's address before anything is sent."""

    def __init__(self, policy: Policy, where: str) -> None:
        self._policy, self._where = policy, where
        super().__init__(max_retries=0)

    def close(self) -> None:
        """Close the connections too: urllib3 keeps them open as long as a stored exception refers to their pool."""
        pools = self.poolmanager.pools
        for key in list(pools.keys()):
            pools[key].close()
        super().close()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)

        def checked(connected: socket.socket, scheme: str, host: str, port: int) -> socket.socket:
            try:
                self._policy.check_peer(connected.getpeername()[0], scheme, host, port, self._where)
            except BaseException:
                connected.close()
                raise
            return connected

        class Http(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return checked(super()._new_conn(), "http", self.host, self.port)

        class Https(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return checked(super()._new_conn(), "https", self.host, self.port)

        class HttpPool(HTTPConnectionPool):
            ConnectionCls = Http

        class HttpsPool(HTTPSConnectionPool):
            ConnectionCls = Https

        self.poolmanager.pool_classes_by_scheme = {"http": HttpPool, "https": HttpsPool}

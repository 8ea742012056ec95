"""Downloading in tests: a file of a publisher, requested from a server on the loopback that plays the mirror."""

from __future__ import annotations

from pathlib import Path

from pytest_httpserver import HTTPServer

from edu_pipeline.sources.download import Downloaded, download
from edu_pipeline.sources.policy import Policy

URL = "https://www.insee.fr/fr/statistiques/fichier/v_commune_2026.csv?lang=fr"
PATH = "/www.insee.fr/fr/statistiques/fichier/v_commune_2026.csv"
BODY = "COM;LIBELLE\n01001;L'Abergement-Clémenciat\n".encode() * 1000
MAX = 10 << 20


def get(into: Path, policy: Policy, url: str = URL, max_bytes: int = MAX) -> Downloaded:
    """Download a URL that answers with a file."""
    answer = download(url, into, max_bytes=max_bytes, policy=policy, where="a-source")
    assert isinstance(answer, Downloaded)
    return answer


def redirect(httpserver: HTTPServer, to: str, path: str = PATH) -> None:
    """Let the mirror answer a path with a redirect."""
    httpserver.expect_request(path).respond_with_data("", status=302, headers={"Location": to})


def is_empty(folder: Path) -> bool:
    """Whether nothing was left behind in a folder."""
    return list(folder.iterdir()) == []

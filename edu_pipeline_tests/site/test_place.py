"""Where a site goes: whole or not at all, and never over anything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from edu_pipeline.errors import SettingInvalid, SiteFailed
from edu_pipeline.site import javascript
from edu_pipeline.site.place import MARK, replacing


def put(folder: Path, text: str) -> None:
    for name in (MARK, "index.html"):
        (folder / name).write_text(text, encoding="utf-8")


def build(target: Path, text: str) -> None:
    with replacing(target) as folder:
        put(folder, text)


def test_a_site_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    target = tmp_path / "new" / "site"
    for text in ("first", "second"):
        build(target, text)
        assert (target / "index.html").read_text(encoding="utf-8") == text
    assert [path.name for path in target.parent.iterdir()] == ["site"]


def test_a_failed_build_leaves_the_earlier_site(tmp_path: Path) -> None:
    target = tmp_path / "site"
    build(target, "first")
    with pytest.raises(RuntimeError), replacing(target) as folder:
        put(folder, "second")
        raise RuntimeError
    assert (target / "index.html").read_text(encoding="utf-8") == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_a_folder_with_anything_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    for target in (tmp_path, tmp_path / "thesis.txt"):
        with pytest.raises(SettingInvalid, match="something else"), replacing(target):
            pass
    assert (tmp_path / "thesis.txt").read_text(encoding="utf-8") == "mine"


def test_a_place_that_cannot_be_written_is_one_text(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SiteFailed, match="expected a folder"), replacing(tmp_path / "file" / "site"):
        pass


def test_without_npm_the_text_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(javascript, "find_spec", lambda name: None)
    with pytest.raises(SettingInvalid, match=r"edu_pipeline\[site\]"):
        javascript.packages(tmp_path / "cache")


def test_what_npm_says_is_in_the_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("node", "npm"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'registry is asleep' >&2\nexit 7\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SiteFailed, match="registry is asleep"):
        javascript.packages(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_packages_of_an_earlier_state_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache" / "earlier" / "node_modules").mkdir(parents=True)
    monkeypatch.setattr(javascript, "_installed", lambda: javascript._Node("node", ("true",)))
    monkeypatch.setattr(javascript, "_collect", lambda folder, node: None)
    folder = javascript.packages(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == [folder]
    assert (folder / "package-lock.json").exists()
    assert javascript.packages(tmp_path / "cache") == folder


def test_the_lock_names_no_registry() -> None:
    lock = Path(javascript.__file__).parent / "javascript" / "package-lock.json"
    assert '"resolved"' not in lock.read_text(encoding="utf-8")

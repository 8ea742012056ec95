"""The folder for temporary files: one that is full is a failure with a text, and nothing is left behind."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest

from edu_pipeline.errors import DiskFull
from edu_pipeline.scratch import scratch_folder
from edu_pipeline_tests.stand_in import StandIn, sale


def full(*_: object, **__: object) -> str:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_does_not_fit_is_one_text_and_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with (
        pytest.raises(DiskFull, match=f"{tmp_path}: expected space .*No space left.* set TMPDIR"),
        scratch_folder("edu-pipeline-test-") as folder,
    ):
        (folder / "file").write_text("some")
        full()
    assert list(tmp_path.iterdir()) == []


def test_other_errors_stay_as_they_are() -> None:
    with pytest.raises(FileNotFoundError), scratch_folder("edu-pipeline-test-") as folder:
        (folder / "missing").read_text()


def test_a_load_without_space_fails_and_the_rows_stay(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = stand_in.put_communes()
    stand_in.load_communes()
    stand_in.put_sales([sale(code) for code in codes])
    stand_in.load("mutations_immo_latest")
    stand_in.put_sales([sale(code, houses=7) for code in codes])
    make = tempfile.mkdtemp

    def full_for_loads(suffix: str | None = None, prefix: str | None = None, dir: str | None = None) -> str:
        return full() if str(prefix).startswith("edu-pipeline-load-") else make(suffix, prefix, dir)

    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "mkdtemp", full_for_loads)
        with pytest.raises(DiskFull, match="expected space for temporary files"):
            stand_in.load("mutations_immo_latest")
    (error,) = stand_in.rows("SELECT error FROM edu_pipeline.loads ORDER BY id DESC LIMIT 1")
    assert str(error[0]).startswith("DiskFull: ")
    assert stand_in.load("mutations_immo_latest").load.changed == len(codes)

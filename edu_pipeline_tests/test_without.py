"""Importing a package without an optional one."""

from __future__ import annotations

import importlib
import sys

import pytest

from edu_pipeline.without import without


def test_a_package_cannot_be_imported_in_the_block_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with without("colorsys"), pytest.raises(ModuleNotFoundError):
        importlib.import_module("colorsys")
    assert importlib.import_module("colorsys")


def test_a_package_that_was_imported_before_stays() -> None:
    pytest_itself = sys.modules["pytest"]
    with without("pytest"):
        assert importlib.import_module("pytest") is pytest_itself
    assert sys.modules["pytest"] is pytest_itself

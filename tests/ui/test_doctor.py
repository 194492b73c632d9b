"""The checks of `tekio doctor`."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import TYPE_CHECKING

import pytest

from ui import checks

if TYPE_CHECKING:
    from tests.ui.conftest import ScriptedTekio


def by_name(rows: list[checks.Check]) -> dict[str, checks.Check]:
    return {row.check: row for row in rows}


@pytest.mark.usefixtures("scripted")
def test_a_missing_package_fails_and_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = metadata.version

    def version(name: str) -> str:
        if name == "sse-starlette":
            raise metadata.PackageNotFoundError(name)
        return "0.1" if name == "rich" else real(name)

    monkeypatch.setattr(metadata, "version", version)
    rows = by_name(checks.run_checks(index=None, fast=True))
    assert rows["package sse-starlette"].status == checks.FAIL
    assert rows["package sse-starlette"].advice.startswith("pip install 'sse-starlette")
    assert "0.1, but" in rows["package rich"].found


@pytest.mark.usefixtures("scripted")
def test_a_missing_index_and_models_are_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEKIO_CACHE", "empty-cache")
    rows = by_name(checks.run_checks(index=None, fast=True))
    assert rows["index"].status == checks.WARN
    assert "ingest PATH" in rows["index"].advice
    assert rows["model embedder"].status == checks.WARN
    monkeypatch.setenv("TEKIO_OFFLINE", "1")
    assert by_name(checks.run_checks(index=None, fast=True))["model embedder"].status == checks.FAIL


@pytest.mark.usefixtures("scripted")
def test_no_check_downloads_a_model(monkeypatch: pytest.MonkeyPatch, scripted: type[ScriptedTekio]) -> None:
    monkeypatch.setenv("TEKIO_CACHE", "empty-cache")
    checks.run_checks(index=None, fast=False)
    assert scripted.opened == 0  # opening the index would fetch its embedder


@pytest.mark.usefixtures("scripted")
def test_a_wrong_setting_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEKIO_TOP_K", "many")
    rows = by_name(checks.run_checks(index=None, fast=True))
    assert rows["settings"].status == checks.FAIL
    assert "TEKIO_TOP_K" in rows["settings"].found


def test_another_python_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 0))
    assert checks._python().status == checks.FAIL


def test_a_full_disk_fails(monkeypatch: pytest.MonkeyPatch, scripted: type[ScriptedTekio]) -> None:
    from shutil import _ntuple_diskusage

    monkeypatch.setattr("shutil.disk_usage", lambda _path: _ntuple_diskusage(10**12, 10**12 - 10**6, 10**6))
    rows = by_name(checks.run_checks(index=None, fast=True))
    assert rows["disk for index"].status == checks.FAIL
    assert "setting cache" in rows["disk for models"].advice
    assert scripted.opened == 0

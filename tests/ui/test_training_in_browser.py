"""A fine-tune in a real browser, from the wizard to the way back: a real job over a tiny base."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from adaptation.registry import put_in_place, versions
from kernel.app import Tekio
from kernel.model_store import ModelStore
from kernel.settings import Settings, load_settings
from tests.adaptation.conftest import make_base, make_embedder, write_documents
from tests.ui.browsing import chat_served, choose_in, chromium, go, shot_folder
from ui.jobs.jobs import Jobs
from ui.page.training import losses

WEIGHTS = "adapter_model.safetensors"


@pytest.fixture
def settings(tmp_path: Path, model_store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of an index of small documents with a tiny embedder and a tiny base, in the environment too."""
    values = {
        **{name: tmp_path / name for name in ("index", "memory", "adapters", "jobs")},
        "cache": model_store.cache,
        "embedder": make_embedder(tmp_path / "embedder"),
        "embedder_engine": "torch",
        "generator": make_base(model_store.resolve("SmolLM2-135M-Instruct").folder, tmp_path / "base"),
        "chunk_tokens": 96,
        "threads": 1,
        "reading": "false",
        "dtype": "float32",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"TEKIO_{name.upper()}", str(value))
    with closing(Tekio(load_settings())) as tekio:
        tekio.ingest([write_documents(tmp_path / "documents")])
    return load_settings()


@contextmanager
def held_once_it_learns(jobs: Jobs) -> Iterator[str]:
    """Hold the processes of the one training as soon as it has a curve; give its id."""
    end = time.monotonic() + 300
    while time.monotonic() < end:
        found = jobs.listed()
        assert not (found and found[0].has_ended), found[0].message
        # What the job's record says is a moment behind its events, and stays so once it is held.
        has_told = bool(found) and ", loss" in str(found[0].progress.get("message"))
        if has_told and len(losses(jobs.events(found[0].id))) > 1:
            break
        time.sleep(0.02)
    (job,) = jobs.listed()
    assert job.pid is not None
    os.killpg(job.pid, signal.SIGSTOP)
    try:
        yield job.id
    finally:
        os.killpg(job.pid, signal.SIGCONT)


def test_an_adapter_is_trained_measured_made_default_and_rolled_back(
    settings: Settings, tmp_path: Path
) -> None:
    jobs, folder = Jobs(settings), settings.adapters / "domain"
    shots = shot_folder(tmp_path / "shots")
    variables = {name.removeprefix("TEKIO_"): value for name, value in os.environ.items() if "TEKIO_" in name}
    with chat_served(tmp_path, variables) as address, chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 1100})
        page.goto(address)
        page.get_by_test_id("stChatInputTextArea").wait_for(timeout=60_000)
        go(page, "Adaptation")
        page.get_by_role("tab", name="Fine-tune").click()
        fill(page, "Questions to make of the documents", "30")
        page.get_by_text("More choices").click()
        fill(page, "General requests to rehearse", "0")
        fill(page, "Held-out questions for before and after", "2")
        page.get_by_role("button", name="Start", exact=True).click()
        with held_once_it_learns(jobs) as job_id:
            page.get_by_test_id("stVegaLiteChart").wait_for(timeout=60_000)
            page.get_by_text("under way").wait_for(timeout=60_000)
            page.get_by_text(re.compile("^step .* of .*, loss")).wait_for(timeout=60_000)
            page.screenshot(path=shots / "training.png")
        page.get_by_text("General requests followed").first.wait_for(timeout=120_000)
        assert jobs.get(job_id).state == "succeeded"
        page.screenshot(path=shots / "trained.png", full_page=True)
        made_default(page)
        with closing(Tekio(settings)) as tekio:
            assert tekio.default_variant() == "domain"
        first = (folder / WEIGHTS).read_bytes()
        newer = shutil.copytree(folder, tmp_path / "newer")  # as a training under the same name leaves it
        (newer / WEIGHTS).write_bytes(first[:-1] + bytes([first[-1] ^ 1]))
        put_in_place(newer, folder)
        assert len(versions("domain", settings.adapters)) == 1
        page.reload()
        page.get_by_role("tab", name="Adapters").click()
        page.get_by_role("button", name="Roll back (earlier versions: 1)").click()
        page.get_by_text("domain is its earlier version again.").wait_for(timeout=30_000)
        assert (folder / WEIGHTS).read_bytes() == first


def fill(page: Any, name: str, value: str) -> None:
    """Write a number into a field."""
    field = page.get_by_role("spinbutton", name=name)
    field.fill(value)
    field.press("Tab")


def made_default(page: Any) -> None:
    """Make the adapter the default, against the advice: what knows nothing wins nothing."""
    page.get_by_role("tab", name="Adapters").click()
    choose_in(page, page.get_by_role("combobox", name="Who answers where nobody is chosen"), "domain")
    page.get_by_text("domain did not win more than it lost").wait_for(timeout=30_000)
    assert page.get_by_role("button", name="Make default").is_disabled()
    page.get_by_text("Let it answer by default all the same").click()
    page.get_by_role("button", name="Make default").click()
    page.get_by_text("domain answers by default now.").wait_for(timeout=30_000)

"""`tekio adapt prune-reader`: a faster reading model, what a person is told of it, and that it reads."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
import torch

from kernel.app import Tekio
from kernel.lab_models import LAB_CARD
from kernel.model_store import ModelStore
from kernel.settings import Settings
from retrieval.errors import UsageError
from tests.adaptation.lab.small_reader import make_reader, write_questions
from tests.ui.conftest import Run
from ui.page.models import model_rows


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEKIO_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("TEKIO_EMBEDDER_ENGINE", "torch")
    write_questions(tmp_path / "asked", 160)


def test_a_reading_model_is_pruned_measured_and_named_to_be_used(run: Run, tmp_path: Path) -> None:
    make_reader(tmp_path / "small")
    common = ("adapt", "prune-reader", "--questions", "asked", "--model", "small", "--name", "quick")
    code, out, err = run(*common, "--heal", "12", "--measure", "40", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert (told["method"], told["figures"]["taken"]) == ("prune reader", 0.5)
    assert Path(told["folder"]) == tmp_path / "models" / "quick"
    measured = told["figures"]["measured"]["asked"]
    assert measured["questions"] == 40
    assert {"f1", "kept", "kept_interval", "times_as_fast"} <= set(measured)
    (row,) = json.loads(run("models", "list", "--json")[1])["lab"]
    assert (row["name"], row["method"]) == ("quick", "prune reader")
    code, _, err = run(*common)
    assert code == 2
    assert "there is a model 'quick'" in err
    Path("more.txt").write_text("A siphon was mended by Mr. Kondo in 1931 behind the old mill.\n")
    code, out, err = run(*common, "--heal", "2", "--measure", "10", "--texts", "more.txt", "--force")
    assert code == 0, err
    lines = out.strip().splitlines()
    assert lines[0].startswith("50% of the layers taken out: ")
    assert lines[1].startswith("asked, 10 questions with their passages: token F1 ")
    assert " of it kept [" in lines[1]
    assert lines[2] == '`reading_model = "quick"` in tekio.toml has it read'
    further = (*common[:-1], "further", "--student", "quick", "--heal", "4", "--seed", "1", "--measure", "0")
    code, out, err = run(*further)
    assert code == 0, err
    assert "in nats: begun " in out
    assert Path("models/further/model.safetensors").is_file()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--sparsity", "1"), "--sparsity is above 0 and below 1, not 1"),
        (("--model", "nowhere"), "there is no reading model 'nowhere'"),
        (("--whole", "nowhere"), "nowhere"),
        (("--texts", "nowhere"), "nowhere"),
        (("--student", "nowhere"), "there is no reading model 'nowhere'"),
        (("--made-up", "-1"), "--made-up is from 0 to 100, not -1"),
        (("--name", "base"), "'base' is the name of a variant"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(run: Run, given: tuple[str, str], said: str) -> None:
    code, _, err = run("adapt", "prune-reader", "--questions", "asked", "--name", "quick", *given)
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert not Path("models/quick").exists()


def test_it_reads_where_the_setting_names_it(model_store: ModelStore, tmp_path: Path) -> None:
    made = make_reader(tmp_path / "small")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "pump.md").write_text(
        "# Pump\n\nThe pump was bought in 1931 by Ada and it is green.\n"
    )
    common = {
        "index": tmp_path / "index",
        "cache": model_store.cache,
        "variant": "extractive",
        "memory": tmp_path / "memory",
    }
    with closing(Tekio(Settings(reading_model=str(made.folder), **common))) as tekio:  # type: ignore[arg-type]
        tekio.ingest([tmp_path / "docs"])
        reader = tekio._start().measuring._spans
        assert reader is not None
        (found,) = reader.read("when was the pump bought", ["the pump was bought in 1931"]) or []
        assert found.end > found.start
        other = reader.revision
    with closing(Tekio(Settings(**common))) as tekio:  # type: ignore[arg-type]
        shipped = tekio._start().measuring._spans
        assert shipped is not None
        assert shipped.revision != other, "answers of the one are not given for those of the other"
    with (
        closing(Tekio(Settings(reading_model="nowhere", **common))) as tekio,  # type: ignore[arg-type]
        pytest.raises(UsageError, match="there is no reading model 'nowhere': `tekio adapt prune-reader`"),
    ):
        tekio._start()


def test_the_page_tells_which_model_reads_and_how_large_it_is(tmp_path: Path) -> None:
    made = make_reader(tmp_path / "models" / "quick")
    (made.folder / LAB_CARD).write_text('{"name": "quick", "method": "prune reader"}')
    store = ModelStore(tmp_path / "cache", offline=True)
    settings = Settings(reading_model="quick", models=tmp_path / "models", cache=tmp_path / "cache")
    (row,) = [row for row in model_rows(settings, store) if row.setting == "reading"]
    assert row.name == "quick"
    assert row.disk == sum(path.stat().st_size for path in made.folder.iterdir())


def test_what_engines_made_of_another_is_not_shown_as_the_one_that_comes_with_tekio(tmp_path: Path) -> None:
    (tmp_path / "span-reader-a").mkdir()
    (tmp_path / "span-reader-a" / "config.json").write_text("{}")
    (tmp_path / "span-reader-b" / "exports").mkdir(parents=True)
    rows = model_rows(Settings(cache=tmp_path), ModelStore(tmp_path, offline=True))
    assert [row.name for row in rows if row.setting == "reading"] == ["span-reader-a"]

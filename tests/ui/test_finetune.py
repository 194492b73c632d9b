"""`tekio adapt dataset`, `adapt train`, `models`, `evaluate adapter` and `advise`: what a person is told."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from adaptation.registry import versions
from kernel.app import Tekio
from kernel.chat.generation import Sampling
from kernel.chat.language_model import LanguageModel
from kernel.model_store import ModelStore
from kernel.settings import Settings
from tests.adaptation.conftest import THINGS, make_embedder, write_documents
from tests.ui.conftest import Run
from ui.commands.advise import _option


@pytest.fixture(scope="module")
def place(model_store: ModelStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an index of small documents, made once."""
    folder = tmp_path_factory.mktemp("finetune")
    embedder = make_embedder(tmp_path_factory.mktemp("models") / "tiny")
    (folder / "tekio.toml").write_text(
        f'embedder = "{embedder}"\nembedder_engine = "torch"\nchunk_tokens = 96\ncache = "{model_store.cache}"\n'
        'threads = 1\nreading = false\ndtype = "float32"\n',
        encoding="utf-8",
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        with closing(Tekio(Settings())) as tekio:
            tekio.ingest([write_documents(folder / "documents")])
    rows = [
        {
            "id": f"q{number}",
            "question": f"How often is the {THINGS[number]} inspected, number {number + 2}?",
            "answer": f"every {number + 3} weeks",
            "document": f"doc-{number:02}.md",
            "answerable": True,
        }
        for number in range(24)
    ]
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return folder


@pytest.fixture
def run(place: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> Run:
    monkeypatch.chdir(place)
    return run


SMALL = ("--rank", "2", "--layers", "0.1", "--pack", "512")


@pytest.fixture
def trained(run: Run, place: Path) -> tuple[str, str]:
    """A set and an adapter 'short' over it, made once by the commands; what they printed, where they were run."""
    if (place / "printed.json").is_file():
        first, second = json.loads((place / "printed.json").read_text("utf-8"))
        return first, second
    code, first, err = run(
        *("adapt", "dataset", "--questions", "questions.jsonl", "--answers", "short", "--out", "set"),
        *("--licence", "own", "--rehearse", "4"),
    )
    assert code == 0, err
    code, second, err = run(
        *("adapt", "train", "--data", "set", "--name", "short", "--steps", "4", *SMALL, "--measure", "3")
    )
    assert code == 0, err
    assert "rows to learn from" in err
    (place / "printed.json").write_text(json.dumps([first, second]), encoding="utf-8")
    return first, second


def test_a_set_is_made_of_documents_and_questions_and_an_adapter_of_the_set(
    trained: tuple[str, str], place: Path
) -> None:
    made, learned = trained
    assert "from questions (own)" in made
    assert "adapt train --data set" in made
    assert json.loads((place / "set" / "card.json").read_text("utf-8"))["licence"] == "own"
    assert "lora: 4 steps" in learned
    assert "tokens a second" in learned
    assert "perplexity, general texts" in learned


def test_an_adapter_is_a_variant_as_soon_as_it_is_trained(run: Run, trained: tuple[str, str]) -> None:
    assert trained
    (state,) = json.loads(run("models", "list", "--json")[1])["adapters"]
    assert (state["name"], state["fits"]) == ("short", True)
    assert state["card"]["figures"]["figures"]["instruction"]["rows"] == 40
    code, out, err = run(
        "ask", "How often is the pump inspected?", "--variant", "short", "--json", "--no-cache"
    )
    assert code == 0, err
    found = json.loads(out)
    assert found["usage"]["completion_tokens"] > 0, "it wrote, whether or not what it wrote was supported"


def test_an_adapter_that_is_replaced_can_be_put_back(run: Run, trained: tuple[str, str], place: Path) -> None:
    assert trained
    again = ("adapt", "train", "--data", "set", "--name", "short", "--steps", "2", *SMALL, "--measure", "0")
    code, _, err = run(*again)
    assert (code, err.splitlines()[-1].startswith("tekio: there is an adapter 'short'")) == (2, True)
    weights = place / ".tekio" / "adapters" / "short" / "adapter_model.safetensors"
    first = weights.read_bytes()
    code, out, err = run(*again, "--force", "--seed", "9", "--json")
    assert code == 0, err
    assert json.loads(out)["recipe"]["seed"] == 9
    assert weights.read_bytes() != first
    assert len(versions("short", place / ".tekio" / "adapters")) == 1
    code, out, err = run("models", "rollback", "short")
    assert (code, "is the version before again" in out) == (0, True), err
    assert weights.read_bytes() == first


def test_an_adapter_is_shown_compared_taken_out_of_use_and_brought_back(
    run: Run, trained: tuple[str, str]
) -> None:
    assert trained
    code, out, err = run("models", "show", "short")
    assert (code, "rank" in out, "fits the base" in out) == (0, True, True), err
    code, out, err = run("models", "compare", "short", "short")
    assert (code, "weights" in out) == (0, True), err
    code, out, err = run("models", "remove", "short")
    assert (code, "brings it back" in out) == (0, True), err
    assert json.loads(run("models", "list", "--json")[1])["adapters"] == []
    assert run("models", "rollback", "short")[0] == 0
    assert len(json.loads(run("models", "list", "--json")[1])["adapters"]) == 1


def test_an_adapter_is_exported_for_serving_engines(run: Run, trained: tuple[str, str], place: Path) -> None:
    assert trained
    code, _, err = run("models", "export", "short", "--out", "exported")
    assert code == 0, err
    code, out, err = run("models", "export", "short", "--out", "for-llama", "--format", "gguf")
    assert (code, "--lora for-llama/short.gguf" in out) == (0, True), err
    assert (place / "for-llama" / "short.gguf").stat().st_size > 1000
    names = {path.name for path in (place / "exported").iterdir()}
    assert names >= {"adapter_config.json", "adapter_model.safetensors"}
    assert "exists already" in run("models", "export", "short", "--out", "exported")[2]


def test_a_merged_adapter_is_a_model_that_answers_alike(
    run: Run, trained: tuple[str, str], place: Path, model_store: ModelStore
) -> None:
    assert trained
    code, _, err = run("models", "merge", "short", "--out", "merged")
    assert code == 0, err
    asked = [{"role": "user", "content": "How often is the pump inspected?"}]
    whole = LanguageModel("merged", place / "merged", dtype="float32", threads=1)
    base = model_store.resolve("SmolLM2-135M-Instruct")
    over = LanguageModel(base.name, base.folder, dtype="float32", threads=1)
    name = over.load_adapter(place / ".tekio" / "adapters" / "short")
    merged = whole.generate(asked, Sampling(max_new_tokens=8)).text
    assert merged == over.generate(asked, Sampling(max_new_tokens=8), adapter=name).text
    shutil.rmtree(place / "merged")


def test_an_adapter_answers_over_an_index_by_default_only_if_it_won_more_than_it_lost(
    run: Run, trained: tuple[str, str], place: Path
) -> None:
    assert trained
    code, out, err = run("models", "default", "short")
    card_file = place / ".tekio" / "adapters" / "short" / "tekio_adapter.json"
    figures = json.loads(card_file.read_text("utf-8"))["figures"]
    assert figures["recommended"] is False, "four steps win nothing"
    assert (code, out, "lost more than it won" in err) == (2, "", True)
    assert json.loads(run("models", "default", "--json")[1]) == {"variant": "base", "setting": "base"}
    try:
        assert json.loads(run("models", "default", "short", "--force", "--json")[1])["variant"] == "short"
        asked = ("ask", "How often is the pump inspected?", "--json", "--no-cache", "--max-new-tokens", "4")
        answered = json.loads(run(*asked)[1])
        assert answered["usage"]["completion_tokens"] > 0
        with closing(Tekio(Settings())) as tekio:
            assert tekio.default_variant() == "short"
    finally:
        assert "base answers" in run("models", "default", "--unset")[1]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("models", "default", "nobody"), "there is no adapter 'nobody'"),
        (("models", "default", "base", "--unset"), "one of them"),
        (("models", "export", "short", "--out", "x", "--format", "zip"), "vllm or gguf or safetensors"),
        (("adapt", "train", "--data", "set", "--name", "x", "--method", "parallel"), "tekio models combine"),
        (
            ("adapt", "train", "--data", "set", "--name", "x", "--method", "dpo"),
            "0 rows to learn from by dpo",
        ),
        (
            ("adapt", "train", "--data", "set", "--name", "x", "--method", "rlhf"),
            "--reward; there are: none yet",
        ),
        (("adapt", "dataset", "--out", "new", "--kinds", "poems"), "no kind 'poems' of rows"),
        (("adapt", "dataset", "--out", "new", "--kinds", "tone"), "belong together"),
        (("adapt", "dataset", "--out", "new", "--kinds", "tone", "--tone", "rude"), "no tone 'rude'"),
        (("adapt", "dataset", "--out", "documents"), "exists already"),
        (("adapt", "dataset", "--out", "new", "--read", "nowhere.jsonl"), "cannot be read"),
        (
            ("adapt", "dataset", "--out", "new", "--questions", "questions.jsonl", "--pool"),
            "brings no passages",
        ),
        (("adapt", "train", "--data", "documents", "--name", "x"), "is no training set"),
        (("adapt", "train", "--data", "set", "--name", "base"), "is the name of a variant"),
        (("adapt", "train", "--data", "set", "--name", "x", "--rank", "0"), "--rank is at least 1"),
        (("adapt", "train", "--data", "set", "--name", "x", "--method", "magic"), "no method 'magic'"),
        (
            ("adapt", "train", "--data", "set", "--name", "x", "--find-lr", "--rate", "0.1"),
            "leave out --rate",
        ),
        (("models", "show", "nobody"), "there is no adapter 'nobody'"),
        (("models", "rollback", "nobody"), "no earlier version"),
        (("models", "export", "nobody", "--out", "x"), "there is no adapter 'nobody'"),
        (("evaluate", "adapter", "nobody", "--data", "set"), "there is no adapter 'nobody'"),
        (("advise", "--answers", "nowhere.json"), "cannot be read"),
        (("advise",), "nobody to ask"),
        (("advise", "--language", "fr"), "en or ja"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(
    run: Run, trained: tuple[str, str], args: tuple[str, ...], message: str
) -> None:
    assert trained
    code, out, err = run(*args)
    assert code in (1, 2)
    assert out == ""
    assert message in err.splitlines()[-1]
    assert "Traceback" not in err


def test_methods_are_listed_with_when_to_choose_them(run: Run) -> None:
    code, out, _ = run("adapt", "methods")
    assert code == 0
    assert all(name in out for name in ("lora", "qlora", "prefix", "rlhf", "scaled_parallel"))
    found = json.loads(run("adapt", "methods", "--json")[1])
    assert all(
        row["changes"] and row["memory"] and row["choose"] and row["source"] for row in found["methods"]
    )
    weights = {row["name"]: row["parameters"] for row in found["methods"]}
    assert weights["prompt"] < weights["ia3"] < weights["lora"] < weights["full"] == found["parameters"]


def test_advice_is_given_from_a_file_in_both_languages(run: Run, place: Path) -> None:
    (place / "answers.json").write_text(json.dumps({"need": "behaviour", "rows": 300}), encoding="utf-8")
    code, out, _ = run("advise", "--answers", "answers.json")
    assert code == 0
    assert "Recommended, in this order:" in out
    assert "tekio adapt train" in out
    code, out, _ = run("advise", "--answers", "answers.json", "--language", "ja")
    assert (code, "お勧め" in out) == (0, True)
    whole = json.loads(run("advise", "--answers", "answers.json", "--json")[1])
    assert whole["answers"]["rows"] == 300
    assert whole["recommended"]
    assert {"need", "rows"} <= {
        each["id"] for each in json.loads(run("advise", "--questions")[1])["questions"]
    }


def test_the_terminal_says_what_a_choice_means_in_the_language_of_the_questions() -> None:
    assert [_option(name, "en") for name in ("mixed", "high")] == ["mixed", "high = harmful"]
    assert [_option(name, "ja") for name in ("mixed", "high")] == [
        "mixed = 良し悪しが混じる",
        "high = 害がある",
    ]

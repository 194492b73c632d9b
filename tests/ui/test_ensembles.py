"""`tekio adapt ensemble` and `tekio evaluate ensemble`: what a person is told, over real members."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from kernel.app import Tekio
from kernel.model_store import ModelStore
from kernel.settings import Settings
from retrieval.access import PUBLIC
from tests.kernel.paged.random_adapter import make_adapter
from tests.ui.conftest import Run

FACTS = {
    "kiln": (
        "The kiln K2 is fired at 1,240 °C for nine hours.",
        "At what temperature is the kiln K2 fired?",
        "1,240 °C",
    ),
    "glaze": (
        "Glaze G-7 is stirred for 20 minutes before use.",
        "How long is glaze G-7 stirred?",
        "20 minutes",
    ),
    "clay": (
        "Fresh clay is stored in cellar B under wet cloth.",
        "Where is fresh clay stored?",
        "in cellar B",
    ),
    "lathe": ("The lathe is oiled by Ms Tanaka every Monday.", "Who oils the lathe?", "Ms Tanaka"),
    "press": ("The press P9 has a force of 300 kN.", "What force has the press P9?", "300 kN"),
}
SETTINGS = """
max_new_tokens = 8
reading = false
answer_cache = false
[ensembles.fitted]
rule = "stacked"
members = ["extractive", "base"]
[ensembles.plain]
members = ["extractive", "base"]
[ensembles.tokens]
rule = "linear"
members = ["base", "extractive"]
[ensembles.mixed]
rule = "log_linear"
members = ["base", "loud"]
"""


@pytest.fixture(scope="module")
def place(model_store: ModelStore, small_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with settings, an adapter, an index of five documents, and questions on each."""
    folder = tmp_path_factory.mktemp("ensembles")
    documents = folder / "documents"
    documents.mkdir()
    rows = []
    for name, (fact, question, answer) in FACTS.items():
        (documents / f"{name}.md").write_text(f"# {name}\n\n{fact}\n", encoding="utf-8")
        rows.append({"id": name, "question": question, "answer": answer, "document": f"{name}.md"})
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    asked = [row | {"id": f"{row['id']}-{again}"} for row in rows for again in range(3)]
    (folder / "thrice.jsonl").write_text("\n".join(map(json.dumps, asked)) + "\n", encoding="utf-8")
    make_adapter(small_base, folder / ".tekio/adapters/loud")
    (folder / "tekio.toml").write_text(SETTINGS, encoding="utf-8")
    settings = Settings(
        index=folder / ".tekio/index", memory=folder / ".tekio/memory", cache=model_store.cache
    )
    with closing(Tekio(settings)) as tekio:
        tekio.ingest([documents], access=PUBLIC)
    return folder


@pytest.fixture
def run(
    place: Path, small_base: Path, model_store: ModelStore, monkeypatch: pytest.MonkeyPatch, run: Run
) -> Run:
    monkeypatch.chdir(place)
    monkeypatch.setenv("TEKIO_CACHE", str(model_store.cache))
    monkeypatch.setenv("TEKIO_GENERATOR", str(small_base))
    return run


ASK = ("--questions", "questions.jsonl", "--without-documents", "--json")


def test_an_ensemble_is_fitted_once_asked_and_then_measured_and_answers(run: Run, place: Path) -> None:
    code, _, err = run("evaluate", "ensemble", "fitted", *ASK)
    assert code == 2
    assert "tekio adapt ensemble fitted --questions FILE" in err

    code, out, err = run("adapt", "ensemble", "fitted", *ASK)
    assert code == 0, err
    fitted = json.loads(out)
    assert (fitted["questions"], fitted["documents"]) == (10, 5)
    assert set(fitted["members"]) == {"extractive", "base"}
    assert "20 of 20 answers, base" in err
    held = json.loads(Path(fitted["file"]).read_text(encoding="utf-8"))
    assert held["stacked"]["weights"]
    assert set(held["revisions"]) == {"extractive", "base"}

    code, out, err = run("evaluate", "ensemble", "fitted", *ASK, "--report", "page.md")
    assert code == 0, err
    assert "20 of 20 answers are recorded already" in err  # nobody was asked again
    found = json.loads(out)
    assert any("the very questions" in notice for notice in found["notices"])
    assert found["members"]["base"]["tokens"] > 0 == found["members"]["extractive"]["tokens"]
    assert "| extractive, base |" in (place / "page.md").read_text(encoding="utf-8")

    code, out, err = run("ask", FACTS["kiln"][1], "--variant", "fitted", "--json")
    assert code == 0, err
    assert json.loads(out)["ensemble"]["rule"] == "stacked"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nobody", "there is no ensemble 'nobody'"),
        ("tokens", "by `tekio evaluate answers --variants tokens,base,extractive --questions FILE`"),
    ],
)
def test_what_cannot_be_voted_on_is_refused_before_anybody_is_asked(run: Run, name: str, why: str) -> None:
    code, _, err = run("evaluate", "ensemble", name, "--questions", "questions.jsonl")
    assert code == 2
    assert why in err


def test_a_rule_without_anything_to_fit_is_refused_before_anybody_is_asked(run: Run) -> None:
    code, _, err = run("adapt", "ensemble", "plain", "--questions", "questions.jsonl")
    assert (code, err) == (
        2,
        "tekio: the rule majority has nothing to be fitted: weighted, stacked, linear and log_linear have\n",
    )


def test_the_weights_of_a_log_linear_mixture_are_fitted_by_the_command_and_answered_by(
    run: Run, place: Path
) -> None:
    code, out, err = run("ask", FACTS["kiln"][1], "--variant", "mixed", "--json")
    assert code == 0, err
    assert [member["weight"] for member in json.loads(out)["ensemble"]["members"]] == [0.5, 0.5]

    code, out, err = run("adapt", "ensemble", "mixed", "--questions", "thrice.jsonl", "--json")
    assert code == 0, err
    made = json.loads(out)
    assert (made["rule"], made["members"]) == ("log_linear", ["base", "loud"])
    assert (made["figures"]["rows"], made["figures"]["documents"]) == (15, 5)
    assert sum(made["weights"]) == pytest.approx(1, abs=1e-3)
    losses = {name: each["mean"] for name, each in made["figures"]["losses"].items()}
    assert losses["fitted"] < max(losses["base"], losses["loud"])
    assert "loss in nats a token on documents left out" in err
    assert Path(made["file"]).name == "mixed.json"

    code, out, err = run("ask", FACTS["kiln"][1], "--variant", "mixed", "--json", "--no-cache")
    assert code == 0, err
    told = [member["weight"] for member in json.loads(out)["ensemble"]["members"]]
    kinds = made["kinds"].get("number")
    assert told == pytest.approx(kinds or made["weights"], abs=0.01)


def test_a_mixture_of_tokens_is_fitted_by_the_same_command_where_its_members_can_be_mixed(run: Run) -> None:
    code, _, err = run("adapt", "ensemble", "tokens", "--questions", "questions.jsonl")
    assert code == 2
    assert "'extractive' of the ensemble 'tokens' cannot be mixed" in err

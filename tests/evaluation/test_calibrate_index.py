"""The refusal threshold fitted to an index."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kernel.answering.answerability import load_model
from kernel.app import Tekio
from kernel.model_store import ModelStore
from kernel.settings import load_settings
from ui.cli import main

THINGS = """
pump valve boiler crane lathe press drill furnace mixer dryer freezer scale
grinder welder conveyor robot oven kettle chiller filter turbine compressor ladder forklift
""".split()


def tekio_main(*args: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(args)
    return int(left.value.code or 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, model_store: ModelStore) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("calibrate")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("TEKIO_INDEX", str(place / "index"))
        patch.setenv("TEKIO_CACHE", str(model_store.cache))
        patch.setenv("TEKIO_VARIANT", "extractive")
        (place / "docs").mkdir()
        rows = []
        for number, thing in enumerate(THINGS):
            (place / "docs" / f"{thing}.md").write_text(
                f"# The {thing}\n\nThe {thing} is inspected every {number + 2} months by the mechanic on duty.\n\n"
                f"## Repair\n\nA broken {thing} is repaired within {number + 20} hours after the alarm was raised.\n",
                encoding="utf-8",
            )
            for kind, asked in (
                ("a", f"How often is the {thing} inspected?"),
                ("b", f"When is a broken {thing} repaired?"),
            ):
                rows.append(
                    {
                        "id": f"{kind}{number}",
                        "language": "en",
                        "question": asked,
                        "document": f"{thing}.md",
                        "answerable": True,
                    }
                )
        (place / "questions.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
        with closing(Tekio(load_settings())) as tekio:
            assert tekio.ingest([place / "docs"]).added == len(THINGS)
        yield place


async def answered(question: str) -> tuple[bool, float, float]:
    with closing(Tekio(load_settings())) as tekio:
        answer = await tekio.ask(question)
    return answer.refused, answer.confidence, answer.threshold


def test_labelled_questions_move_the_threshold_which_is_kept_with_the_index(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tekio_main("evaluate", "calibrate", "--questions", "questions.jsonl", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["source"] == "labelled questions"
    assert found["refused_answerable"]["total"] == 2 * len(THINGS)
    assert found["refused_answerable"]["value"] <= 0.15
    assert found["refused_unanswerable"]["total"] == 2 * len(THINGS)
    assert found["threshold"] != pytest.approx(load_model().threshold, abs=1e-6)

    import asyncio

    refused, confidence, threshold = asyncio.run(answered("How often is the pump inspected?"))
    assert threshold == pytest.approx(found["threshold"], abs=1e-4)
    assert refused is (confidence < threshold)

    assert tekio_main("evaluate", "calibrate", "--forget") == 0
    assert "shipped threshold" in capsys.readouterr().out
    assert asyncio.run(answered("How often is the pump inspected?"))[2] == pytest.approx(
        load_model().threshold, abs=1e-4
    )


def test_made_up_questions_never_raise_the_threshold(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tekio_main("evaluate", "calibrate", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["source"] == "made-up questions"
    assert found["threshold"] <= load_model().threshold
    assert tekio_main("evaluate", "calibrate", "--forget") == 0


def test_too_few_questions_are_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()[:5]
    (folder / "few.jsonl").write_text("\n".join(few), encoding="utf-8")
    assert tekio_main("evaluate", "calibrate", "--questions", "few.jsonl") == 2
    err = capsys.readouterr().err
    assert "5 answerable questions are too few" in err
    assert tekio_main("evaluate", "calibrate", "--questions", "none.jsonl") == 2

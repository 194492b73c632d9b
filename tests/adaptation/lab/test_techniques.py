"""The way of asking whose answers are worth most becomes a training set, of its good answers alone."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from adaptation.ensembles.recording import Asking
from adaptation.lab.distilling.techniques import Way, best_way, record_ways, technique_set
from adaptation.training_sets.card import check_set
from adaptation.training_sets.rows import ChatRow, read_rows
from kernel.answer import Answer
from kernel.app import Tekio
from kernel.settings import Settings
from retrieval.errors import UsageError
from tests.adaptation.conftest import THINGS

WAYS = [Way.read("extractive"), Way.read("extractive:few_shot")]


def asking(number: int) -> Asking:
    thing = THINGS[number % len(THINGS)]

    def worth(answer: Answer) -> float:
        return float(answer.technique == "few_shot" and number % 5 != 0)

    return Asking(str(number), f"Who is called when the {thing} makes a noise?", f"g{number}", worth, 0.0)


ASKINGS = [asking(number) for number in range(20)]


def test_a_way_is_a_variant_and_a_technique() -> None:
    assert Way.read("panel") == Way("panel", "zero_shot")
    assert str(Way.read("base:chain_of_thought")) == "base:chain_of_thought"
    with pytest.raises(UsageError, match="--of is VARIANT:TECHNIQUE"):
        Way.read(":few_shot")


async def test_good_answers_of_the_best_way_are_learned_behind_the_plain_prompt(
    small: Settings, tmp_path: Path
) -> None:
    said: list[str] = []
    with closing(Tekio(small)) as tekio:
        taught = await technique_set(tekio, ASKINGS, WAYS, tmp_path / "set", share=0.1, say=said.append)
        again: list[str] = []
        records = await record_ways(tekio, ASKINGS, WAYS, tmp_path / "set.answers.jsonl", say=again.append)
    assert str(taught.best) == "extractive:few_shot"
    assert taught.worth[str(taught.best)]["gain_interval"][0] > 0
    assert again == [f"{2 * len(ASKINGS)} answers are recorded already"], "none is asked twice"
    assert best_way(records, ASKINGS, WAYS)[0] == taught.best
    card = check_set(tmp_path / "set")
    rows = [
        row
        for part in ("train", "held_out", "test")
        if (tmp_path / "set" / part / "chat.jsonl").is_file()
        for row in read_rows(tmp_path / "set" / part / "chat.jsonl", ChatRow)
    ]
    assert card.technique == "zero_shot"
    assert 0 < len(rows) <= taught.learned == sum(number % 5 != 0 for number in range(20))
    bad = [each.question for number, each in enumerate(ASKINGS) if number % 5 == 0]
    assert not any(question in row.question for row in rows for question in bad)
    answers = [records[each.id, str(taught.best)].answer for each in ASKINGS]
    texts = {answer.answer for answer in answers if answer is not None}
    assert all(row.answer in texts for row in rows)


async def test_too_few_good_answers_are_told(small: Settings, tmp_path: Path) -> None:
    with closing(Tekio(small)) as tekio:
        with pytest.raises(UsageError, match="4 are the least to learn from"):
            await technique_set(tekio, ASKINGS[:3], WAYS[:1], tmp_path / "set")
        with pytest.raises(UsageError, match="no questions to ask"):
            await technique_set(tekio, [], WAYS, tmp_path / "set")

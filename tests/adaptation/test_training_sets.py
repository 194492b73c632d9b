"""A training set of a real index: grounded rows, refusals, forms; parted by document, with nothing of an evaluation."""

from __future__ import annotations

import asyncio
import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from adaptation.changed_questions import QuestionChanger
from adaptation.corpus import Corpus, read_corpus, together
from adaptation.training_sets.card import CARD_FILE, DataCard, check_set, read_card
from adaptation.training_sets.facts import plain
from adaptation.training_sets.grounded import GroundedRows, Mix
from adaptation.training_sets.making import make_set
from adaptation.training_sets.plan import Plan, Public, Questions, Sources
from adaptation.training_sets.public import read_public
from adaptation.training_sets.rows import ChatRow, PairRow, TextRow, read_rows
from adaptation.training_sets.wording import REFUSALS, shapes, tones
from kernel.app import Tekio
from kernel.settings import Settings
from retrieval.access import Caller
from retrieval.errors import UsageError
from retrieval.passages import PassageIndex
from retrieval.records import Passage
from tests.adaptation.conftest import PLACES, THINGS


@dataclass(frozen=True)
class Asked:
    """A question with what is known of it."""

    id: str
    question: str
    answers: tuple[str, ...]
    places: tuple[tuple[str, int | None], ...]
    language: str = "en"
    answerable: bool = True
    spans: tuple[Any, ...] = ()
    label: str | None = None
    where: tuple[str, ...] = ()


def questions(count: int = 24) -> list[Asked]:
    """Ask two things of each of the small documents."""
    found = []
    for number in range(count):
        thing, document = THINGS[number], f"doc-{number:02}.md"
        place = PLACES[number % len(PLACES)]
        found.append(
            Asked(
                f"w{number}",
                f"Where does the {thing} number {number + 2} stand?",
                (place,),
                ((document, None),),
            )
        )
        found.append(
            Asked(
                f"i{number}",
                f"How often is the {thing} in {place} inspected?",
                (f"every {number + 3} weeks",),
                ((document, None),),
            )
        )
    return found


@pytest.fixture
def tekio(small: Settings) -> Iterator[Tekio]:
    with closing(Tekio(small.model_copy(update={"memory": small.index.parent / "memory"}))) as found:
        yield found


@pytest.fixture
def corpus(small: Settings) -> Corpus:
    with closing(PassageIndex(small.place, None)) as index:
        return together(read_corpus(index))


PLAN = Plan(mix=Mix(shapes=shapes(), formats=0.5, removed=1.0, changed=1.0), seed=3)


def made(tekio: Tekio, corpus: Corpus, out: Path, plan: Plan = PLAN, **more: Any) -> DataCard:
    given: dict[str, Any] = {"questions": [Questions("small", "own", questions())]} | more
    return asyncio.run(make_set(Sources(asking=tekio, corpus=corpus, **given), plan, out))


def chats(out: Path, part: str = "train") -> list[ChatRow]:
    return read_rows(out / part / "chat.jsonl", ChatRow)


def shown(row: ChatRow) -> dict[int, str]:
    """Return the passages in the prompt of a row, by their numbers."""
    pieces = re.split(r"^\[(\d+)\]", row.question, flags=re.MULTILINE)
    return {
        int(number): text.split("\n--- ")[0] for number, text in zip(pieces[1::2], pieces[2::2], strict=True)
    }


def test_grounded_rows_cite_the_passage_that_holds_the_answer(
    tekio: Tekio, corpus: Corpus, tmp_path: Path
) -> None:
    made(tekio, corpus, tmp_path / "set")
    rows = [row for row in chats(tmp_path / "set") if row.kind == "grounded"]
    answers = {asked.id: asked.answers for asked in questions()}
    assert len(rows) > 15
    for row in rows:
        marker = re.search(r" \[(\d)\]\.$", row.answer)
        assert marker, row.answer
        evidence = plain(shown(row)[int(marker[1])])
        assert plain(row.answer[: marker.start()]) in evidence, "its words are the passage's"
        assert any(plain(answer) in evidence for answer in answers[row.id.split(":")[0]])
    numbers = {re.search(r"\[(\d)\]\.$", row.answer)[1] for row in rows}  # type: ignore[index]
    assert len(numbers) > 2, "the right passage stands at different places"
    assert len({len(shown(row)) for row in rows}) > 2, "among different numbers of passages"


async def test_an_answer_is_worded_as_the_prompt_shows_it_without_numbers_that_pose_as_markers() -> None:
    text = "The kiln is old. … It was fired at 1,240 °C for nine hours [29]. … Its door is blue."
    passage = Passage(
        *(1, 7, "k.md", "k.md", "Kiln", None, 0, len(text), (), text), score=1.0, rank=1, similarity=0.9
    )

    class Index:
        async def search(
            self, query: str, *, top_k: int | None = None, where: Sequence[str] = ()
        ) -> list[Passage]:
            return [passage]

        async def prompt(self, question: str, passages: Sequence[Passage], **_: Any) -> Any:
            shown = [SimpleNamespace(number=1, text=text)]
            return SimpleNamespace(messages=[{"role": "user", "content": text}], passages=shown)

    maker = GroundedRows(Index(), Mix(removed=0, changed=0, formats=0), QuestionChanger([]), {7: "k"}, seed=1)
    (row,) = await maker.of(Asked("k", "How long?", ("nine hours",), (("k.md", None),)), "own")
    assert row.answer == "It was fired at 1,240 °C for nine hours (29) [1]."


def test_a_refusal_is_right_since_no_passage_it_shows_answers(
    tekio: Tekio, corpus: Corpus, tmp_path: Path
) -> None:
    made(tekio, corpus, tmp_path / "set")
    rows = [row for row in chats(tmp_path / "set") if row.kind == "refusal"]
    asked = {each.id: each for each in questions()}
    assert {row.detail for row in rows} == {"removed", "changed"}
    for row in rows:
        known = asked[row.id.split(":")[0]]
        assert row.answer == REFUSALS["en"]
        if row.detail == "removed":
            assert row.question.endswith(f"Question: {known.question}")
            assert not any(
                plain(answer) in plain(text) for answer in known.answers for text in shown(row).values()
            )
        else:
            assert not row.question.endswith(f"Question: {known.question}")


def test_a_form_is_asked_for_and_followed_by_answers_and_refusals(
    tekio: Tekio, corpus: Corpus, tmp_path: Path
) -> None:
    made(tekio, corpus, tmp_path / "set")
    rows = [row for row in chats(tmp_path / "set") if row.kind == "format"]
    assert {row.detail.split("-")[0] for row in rows} == {"xml", "json"}
    for row in rows:
        shape = next(each for each in shapes() if each.name == row.detail)
        assert row.question.endswith(shape.request("en"))
        if shape.form == "json":
            assert set(json.loads(row.answer)) == set(shape.fields.values())
        else:
            assert [child.tag for child in ElementTree.fromstring(row.answer)] == [
                shape.fields["text"],
                shape.fields["source"],
            ]


def test_no_passage_of_another_part_is_shown_in_a_prompt(
    tekio: Tekio, corpus: Corpus, tmp_path: Path
) -> None:
    card = made(tekio, corpus, tmp_path / "set")
    groups: dict[str, set[str]] = {}
    titles: dict[str, set[str]] = {}
    for part in ("train", "held_out", "test"):
        rows = chats(tmp_path / "set", part)
        groups[part] = {row.group for row in rows}
        titles[part] = {title for row in rows for title in re.findall(r"\((Care of [^)]*?)\)", row.question)}
        assert titles[part]
    for one, other in (("train", "held_out"), ("train", "test"), ("held_out", "test")):
        assert not groups[one] & groups[other]
        assert not titles[one] & titles[other]
    assert card.documents["train"] == len(groups["train"])


def test_what_an_evaluation_cites_is_kept_out_and_what_it_asks_is_taken_out(
    tekio: Tekio, corpus: Corpus, tmp_path: Path
) -> None:
    measured = questions()[:6]  # of the first three documents
    against = [Questions("eval", "own", measured)]
    card = made(tekio, corpus, tmp_path / "set", against=against)
    (leak,) = card.leakage
    assert (leak.questions, leak.seen) == (6, 0), (
        "their documents are measured on, so nothing of them is learned"
    )
    assert leak.same == 0
    learned = [row for part in ("train", "held_out") for row in chats(tmp_path / "set", part)]
    assert not any(asked.question in row.question for row in learned for asked in measured)


def test_a_question_of_an_evaluation_that_comes_by_another_way_is_found(
    tekio: Tekio, corpus: Corpus, tmp_path: Path
) -> None:
    measured = questions()[:2]
    copied = tmp_path / "copied.jsonl"
    asked = [
        measured[0].question.upper(),
        "Where does the pump  number 2 stand ?",
        "Who signs the delivery note here?",
    ]
    copied.write_text(
        "\n".join(json.dumps({"instruction": text, "output": "There."}) for text in asked), encoding="utf-8"
    )
    public = [Public("copied", read_public(copied))]
    plan = replace(PLAN, share=0.0)
    card = asyncio.run(
        make_set(Sources(public=public, against=[Questions("eval", "own", measured)]), plan, tmp_path / "set")
    )
    (leak,) = card.leakage
    assert (leak.same + leak.alike, leak.removed) == (2, 2)
    assert [row.question for row in chats(tmp_path / "set")] == [asked[2]]
    kept = asyncio.run(
        make_set(
            Sources(public=public, against=[Questions("eval", "own", measured)]),
            replace(plan, keep_leaks=True),
            tmp_path / "kept",
        )
    )
    assert (kept.leakage[0].removed, len(chats(tmp_path / "kept"))) == (0, 3)


def test_what_says_the_same_is_learned_once(tmp_path: Path) -> None:
    path = tmp_path / "twice.jsonl"
    rows = [("How hot?", "90 °C."), ("how  HOT?", "90 °c."), ("How hot?", "80 °C.")]
    path.write_text("\n".join(json.dumps({"instruction": q, "output": a}) for q, a in rows), encoding="utf-8")
    sources = Sources(public=[Public("twice", read_public(path))])
    card = asyncio.run(make_set(sources, replace(PLAN, share=0.0), tmp_path / "set"))
    assert (card.duplicates, card.counts["train"]) == (1, {"chat": 2})


def test_the_same_seed_makes_the_same_set_and_another_makes_another(
    tekio: Tekio, corpus: Corpus, tmp_path: Path
) -> None:
    first, again = (made(tekio, corpus, tmp_path / name).hash for name in ("a", "b"))
    assert first == again
    assert made(tekio, corpus, tmp_path / "c", replace(PLAN, seed=4)).hash != first


def test_questions_are_made_up_where_there_are_none(tekio: Tekio, corpus: Corpus, tmp_path: Path) -> None:
    card = made(tekio, corpus, tmp_path / "set", replace(PLAN, made_up=60), questions=[])
    assert card.counts["train"]["grounded"] > 20
    assert card.counts["train"]["refusal"] > 10
    for row in chats(tmp_path / "set"):
        if row.kind == "grounded":
            asked = row.question.rsplit("Question: ", 1)[1]
            assert plain(row.answer) not in plain(asked)


def test_a_tone_colours_every_answer_and_refusal(tekio: Tekio, corpus: Corpus, tmp_path: Path) -> None:
    tone = tones()["careful"]
    plan = replace(PLAN, mix=Mix(tone=tone, kinds=frozenset({"tone"}), removed=1.0))
    card = made(tekio, corpus, tmp_path / "set", plan)
    rows = chats(tmp_path / "set")
    assert (set(card.counts["train"]), card.tone) == ({"tone"}, "careful")
    said = {row.answer for row in rows}
    assert tone.refuse("en") in said
    assert all(text == tone.refuse("en") or text.endswith("before you act on it.") for text in said)


def test_plain_text_and_pairs_are_made_on_request(tekio: Tekio, corpus: Corpus, tmp_path: Path) -> None:
    plan = replace(PLAN, mix=Mix(kinds=("qa", "text")))
    card = made(tekio, corpus, tmp_path / "set", plan)
    assert set(card.counts["train"]) == {"qa", "text"}
    texts = read_rows(tmp_path / "set" / "train" / "text.jsonl", TextRow)
    held = read_rows(tmp_path / "set" / "test" / "text.jsonl", TextRow)
    assert texts[0].text.startswith("Care of the")
    assert not {row.group for row in texts} & {row.group for row in held}


async def test_what_experts_approved_corrected_and_rejected_is_learned(
    tekio: Tekio, corpus: Corpus, tmp_path: Path
) -> None:
    who = Caller("mori")
    answer = await tekio.ask("Where does the pump number 2 stand?", variant="extractive", caller=who)
    other = await tekio.ask("How often is the valve inspected?", variant="extractive", caller=who)
    tekio.memory.rate(answer, "up", caller=who)
    tekio.memory.rate(other, "down", caller=who, correction="Every 4 weeks.")
    said = tekio.memory.feedback(everybody=True)
    sources = Sources(feedback=said, asking=tekio, corpus=corpus)
    card = await make_set(sources, replace(PLAN, share=0.0), tmp_path / "set")
    folder = tmp_path / "set"
    rows = [
        row
        for part in ("train", "held_out", "test")
        if (folder / part / "chat.jsonl").is_file()
        for row in chats(folder, part)
    ]
    pairs = [
        row
        for part in ("train", "held_out", "test")
        if (folder / part / "preferences.jsonl").is_file()
        for row in read_rows(folder / part / "preferences.jsonl", PairRow)
    ]
    assert {row.detail for row in rows} == {"approved", "corrected"}
    assert sum(counts.get("preference", 0) for counts in card.counts.values()) == 1
    (pair,) = pairs
    assert pair.chosen[-1].content.startswith("Every 4 weeks")
    assert pair.rejected[-1].content == other.answer
    assert other.question in pair.question


def test_the_card_names_what_is_in_the_set_and_a_changed_file_is_noticed(
    tekio: Tekio, corpus: Corpus, tmp_path: Path
) -> None:
    out = tmp_path / "set"
    card = made(tekio, corpus, out, replace(PLAN, licence="CC BY 4.0"))
    assert check_set(out) == card == read_card(out)
    assert card.licence == "CC BY 4.0"
    assert sum(card.counts["train"].values()) == card.files["train/chat.jsonl"].rows == len(chats(out))
    with (out / "train" / "chat.jsonl").open("a") as file:
        file.write("\n")
    with pytest.raises(UsageError, match="not what its card says"):
        check_set(out)
    (out / "train" / "chat.jsonl").unlink()
    with pytest.raises(UsageError, match="lacks train/chat"):
        check_set(out)
    (out / CARD_FILE).write_text("{}")
    with pytest.raises(UsageError, match="not valid"):
        read_card(out)
    with pytest.raises(UsageError, match="no training set"):
        read_card(tmp_path)


def test_nothing_to_make_rows_of_and_a_folder_that_is_taken_get_one_clear_line(
    tekio: Tekio, corpus: Corpus, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="nothing to make rows of"):
        asyncio.run(make_set(Sources(), PLAN, tmp_path / "set"))
    nowhere = [Asked("x", "What is the colour of the moon?", ("cheese",), (("doc-00.md", None),))]
    with pytest.raises(UsageError, match=r"no row to learn from .* 1 left out"):
        made(tekio, corpus, tmp_path / "set", questions=[Questions("none", "own", nowhere)])
    assert not (tmp_path / "set").exists()
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine.txt").write_text("kept")
    with pytest.raises(UsageError, match="exists already"):
        made(tekio, corpus, tmp_path / "set")
    assert (tmp_path / "set" / "mine.txt").read_text() == "kept"


def test_documents_of_one_title_are_one_group_unless_all_have_it(corpus: Corpus) -> None:
    rows = list(corpus.passages.values())
    first = {rows[0].document, rows[-1].document}
    titled = Corpus(
        {row.id: replace(row, title="Same" if row.document in first else row.title) for row in rows}, ""
    )
    groups = {row.group for row in together(titled).passages.values() if row.document in first}
    assert len(groups) == 1
    alike = Corpus({row.id: replace(row, title="Manual") for row in rows}, "")
    assert len(together(alike).groups()) == len(corpus.groups())

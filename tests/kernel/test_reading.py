"""The reading model's windows and spans."""

from __future__ import annotations

from itertools import pairwise
from typing import NoReturn

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tokenizers import Tokenizer

from kernel.answer import ShortAnswer
from kernel.answering.evidence import passage_sentences
from kernel.answering.extraction import choose_sentences, with_reading
from kernel.answering.ranking import Ranking, ScoredSentence
from kernel.answering.reading import MAX_TOKENS, RANK_COST, Reading, SpanReader, Window, best_span, windows_of
from kernel.model_store import ModelStore
from kernel.reading_model import BASE, find_reader
from retrieval.errors import TekioError
from retrieval.records import Passage
from retrieval.token_counter import load_tokenizer
from tests.kernel.test_suspicion import passage


@pytest.fixture(scope="module")
def tokenizer(model_store: ModelStore) -> Tokenizer:
    return load_tokenizer(model_store.resolve(BASE).folder / "tokenizer.json")


@pytest.fixture(scope="module")
def reader(model_store: ModelStore) -> SpanReader:
    found = find_reader(model_store)
    assert found is not None
    return found


def test_question_and_passage_stand_between_the_special_tokens(tokenizer: Tokenizer) -> None:
    (window,) = windows_of(tokenizer, "When?", ["It opens at nine."])
    begin, end = tokenizer.token_to_id("<s>"), tokenizer.token_to_id("</s>")
    assert window.ids[0] == begin
    assert window.ids[window.first - 2 : window.first] == [end, end]
    assert window.ids[-1] == end
    assert len(window.ids) == window.first + len(window.offsets) + 1


@pytest.mark.parametrize("word", ["ventilation ", "換気装置を点検する。"])
def test_a_long_passage_is_read_in_windows_that_overlap_and_leave_nothing_out(
    tokenizer: Tokenizer, word: str
) -> None:
    text = word * 900
    windows = list(windows_of(tokenizer, "What is checked?", [text, "Short.", ""]))
    assert {window.passage for window in windows} == {0, 1}
    own = [window for window in windows if window.passage == 0]
    assert all(len(window.ids) <= MAX_TOKENS for window in windows)
    assert own[0].offsets[0][0] == 0
    assert own[-1].offsets[-1][1] >= len(text.rstrip())
    for before, after in pairwise(own):
        assert after.offsets[0][0] < before.offsets[-1][1]


def test_a_very_long_question_leaves_room_for_the_passage(tokenizer: Tokenizer) -> None:
    (window,) = windows_of(tokenizer, "why " * 4000, ["It opens at nine."])
    assert window.offsets[-1][1] == len("It opens at nine.")


TEXT = "The mill was opened in 1884 by the Bells."
OFFSETS = [(start, start + 1) for start in range(len(TEXT))]


def logits_of(start: int, end: int, *, none: float = 0.0) -> NDArray[np.float32]:
    logits = np.full((len(TEXT) + 3, 2), -9.0, np.float32)
    logits[0] = none
    logits[2 + start, 0] = logits[2 + end - 1, 1] = 5.0
    return logits


def test_the_span_is_where_beginning_and_end_are_likeliest() -> None:
    window = Window(3, [0] * (len(TEXT) + 3), 2, OFFSETS)
    start = TEXT.index("1884")
    found = best_span(logits_of(start, start + 4, none=1.0), window, TEXT)
    assert found == Reading(3, start, start + 4, 8.0)
    unlikely = best_span(logits_of(start, start + 4, none=9.0), window, TEXT)
    assert unlikely is not None
    assert unlikely.margin < 0


def test_of_several_likely_spans_the_one_is_taken_that_the_others_share() -> None:
    window = Window(0, [0] * (len(TEXT) + 3), 2, OFFSETS)
    start = TEXT.index("in 1884")
    logits = logits_of(start + 3, start + 7)
    logits[2 + start, 0] = 4.9  # "in 1884" is nearly as likely as "1884"
    logits[2 + TEXT.index("Bells"), 0] = 5.1
    logits[2 + TEXT.index("Bells") + 4, 1] = 4.95  # alone the likeliest
    found = best_span(logits, window, TEXT)
    assert found is not None
    assert "1884" in TEXT[found.start : found.end]


def test_an_end_before_its_beginning_and_a_span_of_half_the_passage_are_none() -> None:
    text = "a " * 200
    window = Window(0, [0] * 402, 1, [(i, i + 1) for i in range(400)])
    logits = np.full((402, 2), -9.0, np.float32)
    logits[1 + 300, 0] = logits[1 + 20, 1] = 9.0
    found = best_span(logits, window, text)
    assert found is not None
    assert found.end - found.start <= 40


@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_a_span_lies_in_its_text_and_begins_and_ends_with_something_to_see(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    text = "".join(random.choice(list("ab 、。\n"), count))
    window = Window(0, [0] * (count + 2), 1, [(i, i + 1) for i in range(count)])
    found = best_span(random.normal(size=(count + 2, 2)).astype(np.float32) * 5, window, text)
    if found is not None:
        piece = text[found.start : found.end]
        assert piece
        assert piece == piece.strip()


@pytest.mark.parametrize(
    ("question", "texts", "answer"),
    [
        ("When was the mill opened?", [TEXT, "The kiln is fired on Mondays."], "1884"),
        ("When is the kiln fired?", [TEXT, "The kiln is fired on Mondays."], "Mondays"),
        ("水車小屋はいつ開かれましたか。", ["窯は月曜日に焚く。", "水車小屋は1884年に開かれた。"], "1884年"),
    ],
)
def test_the_words_that_answer_are_found_in_the_passage_that_has_them(
    reader: SpanReader, question: str, texts: list[str], answer: str
) -> None:
    first, *rest = reader.read(question, texts) or []
    assert answer in texts[first.passage][first.start : first.end]
    assert first.margin > 0
    assert all(first.margin > reading.margin for reading in rest)


def test_a_passage_that_does_not_answer_is_likelier_to_hold_none(reader: SpanReader) -> None:
    (right,) = reader.read("When was the mill opened?", [TEXT]) or []
    (other,) = reader.read("What is the name of the mill's cat?", [TEXT]) or []
    assert other.margin < right.margin


def test_a_lower_passage_comes_first_only_where_its_span_is_far_likelier() -> None:
    def read(margins: list[float]) -> list[int]:
        texts = [TEXT] * len(margins)
        tokenizer = Tokenizer.from_str(
            '{"model":{"type":"WordLevel","vocab":{"x":0},"unk_token":"x"},"version":"1.0"}'
        )
        states = [logits_of(0, 3) for _ in margins]
        for each, margin in zip(states, margins, strict=True):
            each[0] = (10.0 - margin) / 2

        class Fixed:
            def states(self, sequences: object) -> list[NDArray[np.float32]]:
                return states

        reader = SpanReader(
            lambda: (tokenizer, Fixed(), np.eye(2, dtype=np.float32), np.zeros(2, np.float32)), revision=""
        )
        return [reading.passage for reading in reader.read("When?", texts) or []]

    assert read([1.0, 1.0 + RANK_COST / 2]) == [0, 1]
    assert read([1.0, 2.0 + RANK_COST]) == [1, 0]


def test_the_table_of_words_takes_a_byte_a_value(model_store: ModelStore, reader: SpanReader) -> None:
    reader.warm_up()
    place = model_store.cache / f"span-reader-{reader.revision}" / "exports"
    files = list(place.glob("openvino-small-table-*/model.bin"))
    if not files:
        pytest.skip("no engine of OpenVINO's is taken here")
    assert files[0].stat().st_size < 250_000_000  # 453 MB with floats


def test_nothing_is_read_where_there_is_nothing(reader: SpanReader) -> None:
    assert reader.read("When?", []) == []
    assert reader.read("When?", ["", " \n"]) == []


def ranking_of(texts: list[str]) -> tuple[Ranking, list[Passage]]:
    passages = [passage(text, document_id=place) for place, text in enumerate(texts)]
    sentences = [
        ScoredSentence(sentence, 1.0 - place / 10, 0.5, 0.9)
        for place, sentence in enumerate(passage_sentences(passages))
    ]
    return Ranking(sentences, [], {}, []), passages


def test_the_sentence_with_the_span_comes_first_and_alone_where_the_ranking_agrees() -> None:
    texts = ["It rains. It is cold.", "The mill was opened in 1884. It is red."]
    ranking, passages = ranking_of(texts)
    start = texts[1].index("1884")
    moved, short, alone = with_reading(ranking, [Reading(1, start, start + 4, 2.0)], passages)
    assert short == ShortAnswer(text="1884", marker=2, start=start, end=start + 4)
    assert moved.sentences[0].sentence.text == "The mill was opened in 1884."
    assert sorted(map(repr, moved.sentences)) == sorted(map(repr, ranking.sentences))
    assert not alone
    shown = [item.sentence.text for item in choose_sentences(moved, int(alone))]
    assert shown[:2] == ["The mill was opened in 1884.", "It rains."]
    agreed, _, alone = with_reading(ranking, [Reading(0, 3, 8, 2.0)], passages)
    assert alone
    assert [item.sentence.text for item in choose_sentences(agreed, int(alone))] == ["It rains."]
    assert not with_reading(ranking, [Reading(0, 3, 8, -2.0)], passages)[2]


def test_a_span_over_two_sentences_is_cut_to_the_one_that_holds_most_of_it() -> None:
    ranking, passages = ranking_of(["The mill was opened in 1884. It is red."])
    _, short, _ = with_reading(ranking, [Reading(0, 13, 31, 2.0)], passages)
    assert short is not None
    assert short.text == "opened in 1884."


def test_without_a_reading_the_ranking_stays() -> None:
    ranking, passages = ranking_of(["It rains."])
    assert with_reading(ranking, [], passages) == (ranking, None, False)
    empty = Ranking([], [], {}, [])
    assert with_reading(empty, [Reading(0, 0, 2, 1.0)], passages) == (empty, None, False)


def test_a_base_that_cannot_be_had_is_told_and_answers_come_without(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    told: list[str] = []
    found = find_reader(ModelStore(tmp_path_factory.mktemp("empty"), offline=True), say=told.append)
    assert found is None
    assert len(told) == 1
    assert "without the reading model" in told[0]


def test_a_model_that_cannot_be_made_is_told_once_and_nothing_is_read() -> None:
    told: list[str] = []

    def load() -> NoReturn:
        raise TekioError("the reading model could not be stored: no space left")

    reader = SpanReader(load, revision="", say=told.append)
    reader.warm_up()
    assert reader.read("When?", [TEXT]) is None
    assert reader.read("Why?", [TEXT]) is None
    assert told == [
        "answers come without the reading model: the reading model could not be stored: no space left"
    ]

"""Documents that disagree."""

from __future__ import annotations

import pytest

from kernel.answering.contradictions import contradictions
from kernel.answering.evidence import passage_sentences
from kernel.answering.ranking import Ranking, ScoredSentence
from tests.kernel.test_answering_parts import equal_weights, passage


def disagreements(*texts: str, one_document: bool = False) -> list[tuple[str, str | None, str | None]]:
    """Hold the sentences of passages against each other, all of them as good an answer."""
    passages = [
        passage(text, number=number, date=f"202{number}-01-01T00:00:00") for number, text in enumerate(texts)
    ]
    sentences = [ScoredSentence(item, 0.9, 0.9, 0.9) for item in passage_sentences(passages)]
    if one_document:
        passages = [passage(" ".join(texts), number=1)]
        sentences = [ScoredSentence(item, 0.9, 0.9, 0.9) for item in passage_sentences(passages)]
    found = contradictions(passages, Ranking(sentences, [], {}, []), equal_weights)
    return [(each.about, each.first_date, each.second_date) for each in found]


@pytest.mark.parametrize(
    ("one", "other", "about"),
    [
        ("Belts are replaced after 4,000 hours.", "Belts are replaced after 5,000 hours.", "figure"),
        ("退職届は60日前までに提出する。", "退職届は30日前までに提出する。", "figure"),
        (
            "The audit report is kept until 1 May 2026.",
            "The audit report is kept until 1 June 2026.",
            "figure",
        ),
        ("Visitors may enter the hall.", "Visitors may not enter the hall.", "denial"),
        ("副業は許可を得て行うことができる。", "副業は許可を得て行うことができない。", "denial"),
        ("The room is kept above 18 °C.", "The room is kept below 18 °C.", "limit"),
    ],
)
def test_the_same_said_with_another_figure_or_denied_is_a_contradiction(
    one: str, other: str, about: str
) -> None:
    assert disagreements(one, other) == [(about, "2020-01-01T00:00:00", "2021-01-01T00:00:00")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Belts are replaced after 4,000 hours.", "Belts are replaced after 4,000 h."),
        ("Belts of TK-40 are replaced after 4,000 hours.", "Belts of TK-60 are replaced after 5,000 hours."),
        ("Ms Mori works 8 hours in the archive.", "Ms Sato works 6 hours in the archive."),
        ("The dose is 1 g.", "The dose is 1,000 mg."),
        ("Belts are replaced after 4,000 hours.", "The canteen opens at noon."),
        ("The drum weighs 12 kg.", "The drum is 40 cm wide."),
    ],
)
def test_the_same_figure_another_subject_or_another_measure_is_none(one: str, other: str) -> None:
    assert disagreements(one, other) == []


def test_sentences_of_one_document_are_not_held_against_each_other() -> None:
    texts = ("Belts are replaced after 4,000 hours.", "Belts are replaced after 5,000 hours.")
    assert disagreements(*texts, one_document=True) == []


def test_without_sentences_there_is_none() -> None:
    assert contradictions([], Ranking([], [], {}, []), equal_weights) == []

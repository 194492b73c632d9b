"""The stages of an answer that need no model."""

from collections.abc import Sequence

import pytest

from kernel.answer import ClaimStatus
from kernel.answering.budget import fit_passages
from kernel.answering.citations import check_citations, leave_out
from kernel.answering.evidence import answer_sentences, passage_sentences
from kernel.answering.support import support
from kernel.answering.texts import admits_ignorance, without_echo
from plugins.prompt_functions import PromptPassage
from retrieval.analysis import analyze
from retrieval.errors import UsageError
from retrieval.records import Passage


def passage(text: str, *, number: int = 1, start: int = 0, **more: object) -> Passage:
    values: dict[str, object] = {
        "document": f"d{number}.pdf",
        "path": f"/d{number}.pdf",
        "title": f"Title {number}",
        "page": None,
    }
    values |= {"headings": (), "score": 1.0, "rank": number, "similarity": 0.8} | more
    return Passage(id=number, document_id=number, start=start, end=start + len(text), text=text, **values)  # type: ignore[arg-type]


PASSAGES = [
    passage(
        "The archive opens at 9:00. It closes at 16:30 on weekdays.",
        number=1,
        start=100,
        page_starts=(0, 110),
    ),
    passage("Belts of type B are replaced after 4,000 hours. Belts are kept flat.", number=2),
    passage("来訪者証は当日限り有効で、退出時に警備員へ返却する。", number=3),
]


def equal_weights(words: object) -> dict[str, float]:
    return dict.fromkeys(words, 1.0)  # type: ignore[call-overload, no-any-return]


def check(draft: str, question: str = "") -> tuple[str, list[tuple[int, str]], list[str]]:
    checked = check_citations(draft, PASSAGES, equal_weights, question=question)
    return checked.text, [(item.marker, item.quote) for item in checked.citations], checked.unsupported


def test_a_marker_that_holds_is_kept_with_its_sentence_quoted() -> None:
    text, citations, unsupported = check("Type B belts are replaced after 4,000 hours [2].")
    assert text == "Type B belts are replaced after 4,000 hours [2]."
    assert citations == [(2, "Belts of type B are replaced after 4,000 hours.")]
    assert unsupported == []


@pytest.mark.parametrize("marker", ["[7]", "[0]", "[1]", "[99, 1]"])
def test_a_marker_that_points_nowhere_or_to_another_passage_is_mended(marker: str) -> None:
    text, citations, _ = check(f"Type B belts are replaced after 4,000 hours {marker}.")
    assert text == "Type B belts are replaced after 4,000 hours [2]."
    assert [number for number, _ in citations] == [2]


def test_a_sentence_without_a_marker_is_matched_to_the_passage_that_supports_it() -> None:
    text, citations, _ = check("来訪者証は退出時に警備員へ返却します。")
    assert text == "来訪者証は退出時に警備員へ返却します [3]。"
    assert [number for number, _ in citations] == [3]


def test_an_unsupported_sentence_is_listed_and_marked_as_such() -> None:
    text, citations, unsupported = check("The archive opens at 9:00 [1]. The archivist is called Mori [1].")
    assert text == "The archive opens at 9:00 [1]. The archivist is called Mori [?]."
    assert unsupported == ["The archivist is called Mori."]
    assert len(citations) == 1


def test_another_figure_is_no_support_however_like_the_sentence_is() -> None:
    assert check("Type B belts are replaced after 5,000 hours [2].")[2] == [
        "Type B belts are replaced after 5,000 hours."
    ]


def test_repeating_the_question_is_no_answer() -> None:
    question = "When are belts of type B replaced?"
    assert check("Belts of type B are replaced.", question)[1] == []
    assert check("Belts of type B are replaced after 4,000 hours.", question)[1] != []


def test_a_strict_check_leaves_out_what_nothing_supports_and_says_which() -> None:
    checked = leave_out(
        check_citations(
            "The archive opens at 9:00 [1]. The archivist is called Mori.", PASSAGES, equal_weights
        )
    )
    assert checked.text == "The archive opens at 9:00 [1]."
    assert checked.unsupported == ["The archivist is called Mori."]
    assert [claim.status for claim in checked.claims] == [ClaimStatus.SUPPORTED, ClaimStatus.UNSUPPORTED]


def test_each_sentence_is_a_claim_with_its_place_and_its_citation() -> None:
    checked = check_citations(
        "The archive opens at 9:00. The archivist is called Mori.", PASSAGES, equal_weights
    )
    one, other = checked.claims
    assert checked.text[one.start : one.end] == "The archive opens at 9:00 [1]."
    assert checked.text[other.start : other.end] == "The archivist is called Mori [?]."
    assert [checked.citations[place].marker for place in one.citations] == [1]
    assert (other.citations, other.against, other.reason) == ([], None, "words")


def test_what_says_otherwise_is_cited_against_a_sentence_and_not_for_it() -> None:
    checked = check_citations("Belts of type B are replaced after 5,000 hours [2].", PASSAGES, equal_weights)
    (claim,) = checked.claims
    assert (claim.status, claim.reason) == (ClaimStatus.CONTRADICTED, "figure")
    assert claim.against is not None
    assert claim.against.quote == "Belts of type B are replaced after 4,000 hours."
    assert checked.citations == []


def test_a_sentence_of_two_statements_may_be_supported_by_two_passages() -> None:
    text = "The archive opens at 9:00, and belts of type B are replaced after 4,000 hours."
    checked = check_citations(text, PASSAGES, equal_weights)
    assert checked.text == text[:-1] + " [1][2]."
    assert [citation.marker for citation in checked.citations] == [1, 2]


def test_a_model_that_reads_may_support_other_words_and_may_not_overrule_figures() -> None:
    def sure(claim: str, texts: Sequence[str]) -> list[tuple[float, float]]:
        return [(1.0, 0.0)] * len(texts)

    def denying(claim: str, texts: Sequence[str]) -> list[tuple[float, float]]:
        return [(0.0, 1.0)] * len(texts)

    said = "Every strap of kind B gets exchanged after 4,000 hours."
    assert check_citations(said, PASSAGES, equal_weights).unsupported
    assert not check_citations(said, PASSAGES, equal_weights, reader=sure).unsupported
    wrong = said.replace("4,000", "5,000")
    assert check_citations(wrong, PASSAGES, equal_weights, reader=sure).unsupported
    (claim,) = check_citations(
        "Belts of type B are replaced after 4,000 hours.", PASSAGES, equal_weights, reader=denying
    ).claims
    assert (claim.status, claim.reason) == (ClaimStatus.CONTRADICTED, "model")


def test_a_sentence_said_twice_is_shown_once() -> None:
    assert (
        check("The archive opens at 9:00. The archive opens at 9:00.")[0] == "The archive opens at 9:00 [1]."
    )


def test_a_citation_has_the_page_and_the_span_of_its_own_sentence() -> None:
    checked = check_citations("It closes at 16:30 on weekdays.", PASSAGES, equal_weights)
    (citation,) = checked.citations
    assert (citation.page, citation.start, citation.end) == (2, 127, 158)
    assert citation.quote == "It closes at 16:30 on weekdays."


def test_two_neighbouring_sentences_may_support_one_sentence() -> None:
    checked = check_citations("The archive opens at 9:00 and closes at 16:30.", PASSAGES, equal_weights)
    assert checked.citations[0].quote == PASSAGES[0].text


def test_support_is_weighted_by_rarity() -> None:
    claim = analyze("rare common")
    weights = {"rare": 3.0, "common": 1.0}
    assert support(claim, {"rare"}, weights) == 0.75


def test_what_a_sentence_is_about_must_stand_in_its_evidence() -> None:
    claim = analyze("The hours of the dialysis unit are 13 to 14.")
    weights = {"dialysi": 5.0, "unit": 1.0, "hour": 1.0, "13": 3.0, "14": 3.0}
    other = {token.text for token in analyze("Visiting hours of the high care unit: 13 to 14")}
    asked = {"dialysi", "unit", "hour"}
    assert support(claim, other, weights, asked=asked) == 0.0
    assert support(claim, other, weights, asked=asked, context={"dialysi"}) == 1.0


def test_headings_and_table_rules_are_no_evidence() -> None:
    found = passage_sentences([passage("# Belts\n\n| a | b |\n|---|---|\n| 1 | 2 |", headings=("Belts",))])
    assert [(item.text, item.is_heading) for item in found] == [
        ("# Belts", True),
        ("| a | b |", False),
        ("| 1 | 2 |", False),
    ]


def test_a_marker_behind_the_full_stop_belongs_to_the_sentence_before_it() -> None:
    assert answer_sentences("It is open. [1] It is free. [2]") == ["It is open [1].", "It is free [2]."]


def test_what_a_model_goes_on_to_ask_itself_is_cut() -> None:
    assert without_echo("It is 48 hours.\n\nQuestion: How long?") == "It is 48 hours."
    assert without_echo("Question: what is left of it") == "Question: what is left of it"


@pytest.mark.parametrize("text", ["I don't know.", " I do not know the answer", "わかりません。"])
def test_a_draft_that_admits_ignorance_is_recognised(text: str) -> None:
    assert admits_ignorance(text)
    assert not admits_ignorance("It is 5 °C. I don't know more.")


async def test_the_lowest_ranked_passages_go_first_when_the_budget_is_short() -> None:
    shown = [PromptPassage(number, item, item.text) for number, item in enumerate(PASSAGES, start=1)]

    async def count(passages: object) -> int:
        return 10 + 10 * len(passages)  # type: ignore[arg-type]

    kept, tokens = await fit_passages(shown, count, budget=35)
    assert ([item.number for item in kept], tokens) == ([1, 2], 30)
    with pytest.raises(UsageError, match="shorten the question"):
        await fit_passages(shown, count, budget=15)

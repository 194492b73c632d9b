"""What an answer is worth: each figure of one question, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluation.answers.items import Item, Span
from evaluation.answers.texts import contains, exact_match, token_f1, without_markers
from evaluation.questions import folded
from ingest.sentences import split_sentences
from kernel.answer import Answer, AnswerPassage, Citation
from kernel.answering.evidence import answer_sentences

Scores = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of a question.

    Attributes:
        name: in JSON.
        label: for people.
        better: 1 where more is better, -1 where less is, 0 where it is neither.
        is_share: each question is right or wrong, so that the interval is Wilson's.
        verdict: a fall of it counts when runs are compared.
    """

    name: str
    label: str
    better: int = 1
    is_share: bool = False
    verdict: bool = True


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("exact_match", "exact match", is_share=True),
        Metric("f1", "token F1"),
        Metric("short_exact_match", "exact match, short answer", is_share=True),
        Metric("short_f1", "token F1, short answer"),
        Metric("contains", "the answer holds an expected one", is_share=True),
        Metric("label_right", "expected class named", is_share=True),
        Metric("found", "expected place among the passages", is_share=True),
        Metric("citation_precision", "citation precision"),
        Metric("citation_recall", "citation recall"),
        Metric("span_precision", "citations that meet an expected span"),
        Metric("span_recall", "expected span that is cited"),
        Metric("unsupported_share", "unsupported share", better=-1),
        Metric("all_supported_or_marked", "every sentence supported or marked", is_share=True),
        Metric("decision_right", "answered or refused rightly", is_share=True),
        Metric("faithfulness", "faithfulness"),
        Metric("relevance", "answer relevance"),
        Metric("judge", "judge: correct 1, partly 0.5"),
        Metric("oracle_f1", "token F1 from the right passage alone", verdict=False),
        Metric("oracle_short_f1", "token F1 from the right passage, short answer", verdict=False),
        Metric("oracle_sentence_f1", "token F1 of the right passage's best sentence", verdict=False),
        Metric("trivial_f1", "token F1 of the first passage's first sentence", verdict=False),
    )
}


def answer_scores(item: Item, answer: Answer) -> Scores:
    """Return the figures of an answer that need no model.

    Those of the text are of answerable questions alone, and 0 for a refusal. Citation precision is the share of an
    answer's citations that are to an expected document and page, recall the share of expected places that are
    cited; precision is None for an answer without citations. Of several spans each is enough alone.
    """
    markers = [citation.marker for citation in answer.citations]
    text = without_markers(answer.answer, markers)
    sentences = [line for line in answer_sentences(text) if any(map(str.isalnum, line))]
    scores: Scores = {"decision_right": float(answer.refused != item.answerable)}
    if not answer.refused and sentences:
        share = min(1.0, len(answer.unsupported) / len(sentences))
        scores["unsupported_share"] = share
        scores["all_supported_or_marked"] = float(_all_covered(answer))
    if not item.answerable:
        return scores
    if item.label is not None:
        scores["label_right"] = float(not answer.refused and named_label(text) == item.label)
    if item.answers:
        scores |= text_scores(item, text, answer)
        scores["trivial_f1"] = token_f1(_first_sentence(answer.passages), item.answers, item.language)
    if item.places:
        scores["found"] = float(any(_place(passage, item) for passage in answer.passages))
        scores |= _citation_scores(item, answer.citations)
    if item.spans:
        scores |= _span_scores(item.spans, answer.citations)
    return scores


def text_scores(item: Item, text: str, answer: Answer) -> Scores:
    """Return how near the whole text and the short answer are to the expected ones; 0 for a refusal."""
    names = ("exact_match", "f1", "short_exact_match", "short_f1", "contains")
    if answer.refused:
        return dict.fromkeys(names, 0.0)
    short = answer.short_answer.text if answer.short_answer else text
    return {
        "exact_match": exact_match(text, item.answers, item.language),
        "f1": token_f1(text, item.answers, item.language),
        "short_exact_match": exact_match(short, item.answers, item.language),
        "short_f1": token_f1(short, item.answers, item.language),
        "contains": contains(text, item.answers),
    }


def oracle_scores(item: Item, answer: Answer) -> Scores:
    """Return how near an answer made from the right passage alone is, and how near its best sentence would be."""
    markers = [citation.marker for citation in answer.citations]
    of_text = text_scores(item, without_markers(answer.answer, markers), answer)
    sentences = [
        passage.text[start:end] for passage in answer.passages for start, end in split_sentences(passage.text)
    ]
    return {
        "oracle_f1": of_text["f1"],
        "oracle_short_f1": of_text["short_f1"],
        "oracle_sentence_f1": max(
            (token_f1(sentence, item.answers, item.language) for sentence in sentences), default=0.0
        ),
    }


def named_label(text: str) -> str:
    """Return the class that an answer begins with: its first word, in lower case."""
    first = text.split(maxsplit=1)[0] if text.strip() else ""
    return first.strip(".,;:!—-").lower()


def _all_covered(answer: Answer) -> bool:
    """Say whether each sentence has a marker of a citation, is a quote's own, or is listed as unsupported."""
    markers = [citation.marker for citation in answer.citations]
    listed = {folded(line) for line in answer.unsupported}
    quotes = [folded(citation.quote) for citation in answer.citations]
    for line in answer_sentences(answer.answer):
        bare = folded(without_markers(line, markers))
        marked = bare != folded(line)
        if any(map(str.isalnum, bare)) and not (
            marked or bare in listed or any(bare in quote for quote in quotes)
        ):
            return False
    return True


def _first_sentence(passages: Sequence[AnswerPassage]) -> str:
    if not passages:
        return ""
    start, end = next(iter(split_sentences(passages[0].text)), (0, 0))
    return passages[0].text[start:end]


def _place(found: AnswerPassage | Citation, item: Item) -> bool:
    return any(found.document == document and page in (None, found.page) for document, page in item.places)


def _citation_scores(item: Item, citations: Sequence[Citation]) -> Scores:
    right = [citation for citation in citations if _place(citation, item)]
    cited = [
        any(citation.document == document and page in (None, citation.page) for citation in right)
        for document, page in item.places
    ]
    return {
        "citation_precision": len(right) / len(citations) if citations else None,
        "citation_recall": sum(cited) / len(cited),
    }


def _span_scores(spans: Sequence[Span], citations: Sequence[Citation]) -> Scores:
    met = [any(_shared(span, citation) for span in spans) for citation in citations]
    covered = []
    for span in spans:
        places: set[int] = set()
        for citation in citations:
            if citation.document == span.document:
                places.update(range(max(span.start, citation.start), min(span.end, citation.end)))
        covered.append(len(places) / (span.end - span.start))
    return {
        "span_precision": sum(met) / len(met) if met else None,
        "span_recall": max(covered),
    }


def _shared(span: Span, citation: Citation) -> int:
    if citation.document != span.document:
        return 0
    return max(0, min(span.end, citation.end) - max(span.start, citation.start))

"""Citations: each sentence of an answer held against the passages, and its markers put right.

A marker that names no passage is taken out; one whose passage does not support the sentence is mended when another
passage does; a sentence without a marker gets that of the passage that supports it best. A sentence that nothing
supports is marked with [?], or left out. Where a passage speaks of the same and says something else, it is cited as
what contradicts the sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kernel.answer import Citation, Claim, ClaimStatus
from kernel.answering.claims.check import Reason
from kernel.answering.claims.windows import Likeness, Reader, Source
from kernel.answering.evidence import InverseFrequencies, Sentence, answer_sentences
from kernel.answering.support import SUPPORTED
from retrieval.records import Passage

UNSUPPORTED_MARK = "[?]"
_MARKERS = re.compile(r"\s*[\[［【]\s*(\d+(?:\s*[,、]\s*\d+)*|\?)\s*[\]］】]")
_END = re.compile(r"\s*([.。．！？!?…」』）)\"']*)$")
_BEHIND = re.compile(r"(?:\s*\[(?:\d+|\?)\])*[.)。．！？!?…」』）\"']*")
# A sentence of several statements, each of which may stand somewhere else.
_PARTS = re.compile(
    r";\s+|,\s+(?:and|but|while|then)\s+|、(?:また|かつ|一方|さらに)|(?<=[すたいるん])が、|(?<=[めきしりいびみえけてれ])、"
)
_LEAST_PART = 6  # characters


@dataclass(frozen=True, slots=True)
class CheckedText:
    """An answer's text with markers that hold, its citations, and what was found of each of its sentences."""

    text: str
    citations: list[Citation]
    unsupported: list[str]
    claims: list[Claim] = field(default_factory=list)


@dataclass(slots=True)
class _Written:
    """The answer as it is written down."""

    text: str = ""
    citations: list[Citation] = field(default_factory=list)
    unsupported: list[str] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)

    def put(self, sentence: str) -> tuple[int, int]:
        """Write a sentence; return where it stands."""
        start = len(self.text) + len(glue_between(self.text))
        self.text += glue_between(self.text) + sentence
        return start, len(self.text)

    def cite(self, citation: Citation) -> int:
        """Return the place of a citation, which is put there when it is new."""
        if citation not in self.citations:
            self.citations.append(citation)
        return self.citations.index(citation)


def check_citations(
    draft: str,
    passages: Sequence[Passage],
    inverse_frequencies: InverseFrequencies,
    *,
    question: str = "",
    threshold: float = SUPPORTED,
    likeness: Likeness | None = None,
    reader: Reader | None = None,
) -> CheckedText:
    """Check a draft against the passages it was written from.

    Args:
        draft: the model's answer, with or without markers such as [1].
        passages: those in the prompt, in the order of their numbers.
        inverse_frequencies: weights of tokens in the index.
        question: what was asked; repeating it supports nothing.
        threshold: least support that counts, 0 to 1.
        likeness: tells how alike a sentence and texts are in meaning, so that other words may say the same.
        reader: a model that tells whether a text says what a sentence claims.
    """
    source = Source(passages, inverse_frequencies, question, threshold, likeness, reader)
    written = _Written()
    said: set[str] = set()
    for line in answer_sentences(draft):
        markers = [
            int(number) - 1 for group in _MARKERS.findall(line) for number in re.findall(r"\d+", group)
        ]
        bare = _MARKERS.sub("", line).strip()
        if not any(character.isalnum() for character in bare) or bare.casefold() in said:
            continue  # small models repeat themselves
        said.add(bare.casefold())
        _check(bare, markers, source, passages, written)
    return CheckedText(written.text, written.citations, written.unsupported, written.claims)


def leave_out(checked: CheckedText) -> CheckedText:
    """Return an answer without the sentences that nothing supports; its claims say which these are."""
    written = _Written()
    for claim in checked.claims:
        start = end = len(written.text)
        if claim.status is ClaimStatus.SUPPORTED:
            start, end = written.put(checked.text[claim.start : claim.end])
        written.claims.append(claim.model_copy(update={"start": start, "end": end}))
    return CheckedText(written.text, checked.citations, checked.unsupported, written.claims)


def rest_on_results(checked: CheckedText, sentences: Sequence[str]) -> CheckedText:
    """Return an answer of which some sentences are supported by what functions gave: their marks are taken off."""
    written = _Written()
    for claim in checked.claims:
        piece = checked.text[claim.start : claim.end]
        supported = claim.text in sentences and claim.status is not ClaimStatus.SUPPORTED
        start, end = written.put(piece.replace(f" {UNSUPPORTED_MARK}", "", 1) if supported else piece)
        changes: dict[str, object] = {"start": start, "end": end}
        if supported:
            changes |= {"status": ClaimStatus.SUPPORTED, "reason": Reason.NONE.value, "against": None}
        written.claims.append(claim.model_copy(update=changes))
    left = [sentence for sentence in checked.unsupported if sentence not in sentences]
    return CheckedText(written.text, checked.citations, left, written.claims)


def _check(
    bare: str,
    markers: Sequence[int],
    source: Source,
    passages: Sequence[Passage],
    written: _Written,
) -> None:
    findings = [source.find(bare, markers)]
    if not findings[0].verdict.is_supported:
        parts = [part.strip() for part in _PARTS.split(bare) if len(part.strip()) >= _LEAST_PART]
        each = [source.find(part, markers) for part in parts] if len(parts) > 1 else []
        if each and all(finding.verdict.is_supported for finding in each):
            findings = each
    found = findings[0].verdict
    supported = found.is_supported
    score = round(min(finding.verdict.score for finding in findings), 4)
    against = cite(findings[0].window, passages, score) if findings[0].window and not supported else None
    cited = [
        written.cite(cite(finding.window, passages, finding.verdict.score))
        for finding in findings
        if supported
    ]
    numbers = list(dict.fromkeys(written.citations[place].marker for place in cited))
    mark = "".join(f"[{number}]" for number in numbers) or UNSUPPORTED_MARK
    start, end = written.put(_marked(bare, mark))
    if not supported:
        written.unsupported.append(bare)
    status = ClaimStatus.UNSUPPORTED if against is None else ClaimStatus.CONTRADICTED
    written.claims.append(
        Claim(
            text=bare,
            start=start,
            end=end,
            status=ClaimStatus.SUPPORTED if supported else status,
            reason=found.reason.value,
            score=score,
            citations=cited,
            against=against,
        )
    )


def _marked(sentence: str, mark: str) -> str:
    end = _END.search(sentence)
    assert end is not None
    return f"{sentence[: end.start()]} {mark}{end.group(1)}"


def relocated(claims: Sequence[Claim], text: str, clean: Callable[[str], str]) -> list[Claim]:
    """Return claims with their places in an answer that was cleaned; they stand there in their order."""
    found, at = [], 0
    for claim in claims:
        cleaned = clean(claim.text)
        stem = _END.sub("", cleaned)
        start = text.find(stem, at) if claim.end > claim.start else at
        if start < 0:
            start = at
        end = _end_of(text, start + len(stem)) if claim.end > claim.start else start
        found.append(claim.model_copy(update={"text": cleaned, "start": start, "end": end}))
        at = end
    return found


def _end_of(text: str, at: int) -> int:
    """Return where a sentence ends whose words end at a place: behind its markers and its full stop."""
    behind = _BEHIND.match(text, at)
    return at if behind is None else behind.end()


def quoted(sentences: Sequence[tuple[Sentence, float]], passages: Sequence[Passage]) -> CheckedText:
    """Return an answer of the passages' own sentences, each of which is its own evidence, with its score."""
    written = _Written()
    for sentence, score in sentences:
        place = written.cite(cite([sentence], passages, 1.0))
        start, end = written.put(f"{sentence.text} [{sentence.passage + 1}]")
        written.claims.append(
            Claim(
                text=sentence.text,
                start=start,
                end=end,
                status=ClaimStatus.SUPPORTED,
                reason=Reason.NONE.value,
                score=round(min(1.0, max(0.0, score)), 4),
                citations=[place],
            )
        )
    return CheckedText(written.text, written.citations, [], written.claims)


def cite(evidence: Sequence[Sentence], passages: Sequence[Passage], score: float) -> Citation:
    """Return the citation of neighbouring sentences of one passage."""
    first, last = evidence[0], evidence[-1]
    passage = passages[first.passage]
    start, end = first.start, last.end
    return Citation(
        marker=first.passage + 1,
        document=passage.document,
        title=passage.title,
        page=passage.page_of(start) if passage.page_starts else passage.page,
        start=start,
        end=end,
        quote=passage.text[start - passage.start : end - passage.start],
        score=round(score, 4),
    )


def join_sentences(sentences: Sequence[str]) -> str:
    """Join sentences; with no space behind a Japanese full stop."""
    text = ""
    for sentence in sentences:
        text += glue_between(text) + sentence
    return text


def glue_between(text: str) -> str:
    """Return what stands between a text and its next sentence: no space behind a Japanese full stop."""
    return "" if not text or text[-1] in "。！？」』" else " "

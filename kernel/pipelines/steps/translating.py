"""Translation: of a text in pieces, or of an answer sentence by sentence, with its sources as they are."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Sequence

from ingest.sentences import split_sentences
from kernel.answer import Answer, Claim, FinishReason
from kernel.answering.citations import glue_between
from kernel.answering.links import LinkGuard
from kernel.answering.texts import say
from kernel.pipelines.kinds import INPUT
from kernel.pipelines.markers import MARKER, mended
from kernel.pipelines.pieces import pieces_of, rejoined
from kernel.pipelines.values import Made, is_plain_refusal
from kernel.pipelines.work import Work, each, fenced, prompt_language, unfenced
from plugins.prompt_functions import LANGUAGES, TRANSLATE
from retrieval.analysis import detect_language
from retrieval.errors import TekioError

_PIECE = 200
"""Tokens of a piece: a small model loses the thread of a longer one."""
_Span = tuple[int, int]
_FIGURE = re.compile(r"\d+(?:[.,]\d+)*")


async def translate(work: Work) -> Made:
    """Translate a text, a list of texts, or an answer into the language that the step names.

    What is in that language already stays as it is.
    """
    made = work.inputs[0]
    target = work.language if work.step.to == INPUT else work.step.to
    if isinstance(made.value, Answer):
        return Made("answer", await _answer(work, made.value, target))
    if isinstance(made.value, list):
        return Made("list", [await _text(work, str(item), target) for item in made.value])
    return Made("text", await _text(work, made.text, target))


async def _text(work: Work, text: str, target: str) -> str:
    source = work.step.source or detect_language(text)
    if source == target:
        return text
    translator, step = None, work.step
    if step.model:
        translator = await asyncio.to_thread(work.means.translators.of, step.model)
        count = lambda piece: translator.count(step.prefix + piece)  # noqa: E731
        pieces = await asyncio.to_thread(pieces_of, text, count, min(_PIECE, translator.most_tokens))
    else:
        work.check_language(source, target)
        pieces = await work.pieces(text, _PIECE)
    made = await _translated(work, [piece.text for piece in pieces], source, target)
    if len(pieces) > 1:
        work.notice("pieces", work.language, count=len(pieces))
    whole = rejoined(pieces, made, target)
    _check_figures(work, text, whole)
    return whole


async def _answer(work: Work, answer: Answer, target: str) -> Answer:
    """Translate what an answer says. Citations, quotes and passages stay as the documents have them."""
    source = answer.language
    if source == target:
        return answer
    if is_plain_refusal(answer) and target in LANGUAGES:
        return answer.model_copy(update={"answer": say("refusal", target), "language": target})
    if not work.step.model:
        work.check_language(source, target)
    spans = _sentences(answer)
    sentences = [answer.answer[start:end] for start, end in spans.values()]
    made = await _translated(work, sentences, source, target)
    text, places = "", list[_Span]()
    for sentence, translated in zip(sentences, made, strict=True):
        marked, changed = mended(sentence, translated)
        if changed:
            work.notice("markers", work.language)
        start = len(text) + len(glue_between(text))
        text += glue_between(text) + marked
        places.append((start, len(text)))
    _check_figures(work, MARKER.sub("", answer.answer), MARKER.sub("", text))
    bare = {
        MARKER.sub("", old).strip(): MARKER.sub("", text[start:end]).strip()
        for old, (start, end) in zip(sentences, places, strict=True)
    }
    moved = dict(zip(spans, places, strict=True))
    return answer.model_copy(
        update={
            "answer": text,
            "language": target,
            "claims": [_moved(claim, moved, bare, len(text)) for claim in answer.claims],
            "unsupported": [bare.get(sentence, sentence) for sentence in answer.unsupported],
        }
    )


async def _translated(work: Work, texts: Sequence[str], source: str, target: str) -> list[str]:
    """Return the translation of each text, in which nothing is live that the text does not hold.

    Raises:
        TekioError: nothing was written of one that says something.
    """
    if work.step.model:
        rows = await work.means.translators.run(work.step.model, [work.step.prefix + text for text in texts])
        work.prompt_tokens += sum(row.read for row in rows)
        work.completion_tokens += sum(row.written for row in rows)
        for row in rows:
            if not row.is_whole:
                work.note_end({"finish_reason": FinishReason.LENGTH}, row.written)
        made = [row.text for row in rows]
    else:
        made = await each(texts, lambda text: _written(work, text, source, target))
    clean = [LinkGuard([text], target).clean(written) for text, written in zip(texts, made, strict=True)]
    for text, written in zip(texts, clean, strict=True):
        if not _says_something(written) and _says_something(text):
            raise TekioError("the model wrote no translation: name another variant or model")
        work.hear(written + glue_between(written))
    return clean


async def _written(work: Work, text: str, source: str, target: str) -> str:
    quoted, fence = fenced(text)
    language = prompt_language(target)
    most = 3 * await asyncio.to_thread(work.count, text) + 32
    written, told = await work.write(
        TRANSLATE,
        language,
        most,
        source=language_name(source, language),
        target=language_name(target, language),
        text=quoted,
    )
    work.note_end(told, most)
    return unfenced(written, fence)


def language_name(code: str, language: str) -> str:
    """Return what a language is called in another, as in `Japanese` or `日本語`; the code where nobody knows it."""
    from babel import Locale, UnknownLocaleError

    try:
        return Locale.parse(code).get_display_name(language) or code
    except (UnknownLocaleError, ValueError):
        return code


def _sentences(answer: Answer) -> dict[_Span, _Span]:
    """Return an answer's sentences: those of its claims, where they are all there is; each with the place that it has
    together with the markers behind it."""
    claims = sorted({(claim.start, claim.end) for claim in answer.claims if claim.end > claim.start})
    split = [
        span
        for span in split_sentences(answer.answer)
        if _says_something(MARKER.sub("", answer.answer[slice(*span)]))
    ]
    for spans in (claims, split):
        whole = {(start, end): (start, _behind(answer.answer, end)) for start, end in spans}
        ends = [0, *(end for _, end in whole.values())]
        starts = [*(start for start, _ in spans), len(answer.answer)]
        between = zip(ends, starts, strict=True)
        if spans and all(
            end <= start and not _says_something(answer.answer[end:start]) for end, start in between
        ):
            return whole
    return {(0, len(answer.answer)): (0, len(answer.answer))}


def _behind(text: str, end: int) -> int:
    """Return where the markers end that stand behind a sentence."""
    while found := MARKER.match(text, end):
        end = found.end()
    return end


def _moved(claim: Claim, moved: dict[_Span, _Span], bare: dict[str, str], length: int) -> Claim:
    start, end = moved.get((claim.start, claim.end), (length, length))
    return claim.model_copy(update={"text": bare.get(claim.text, claim.text), "start": start, "end": end})


def _check_figures(work: Work, source: str, translated: str) -> None:
    """Note the figures of a text that its translation does not have."""
    there = set(_figures(translated))
    if lost := [figure for figure in dict.fromkeys(_figures(source)) if figure not in there]:
        work.notice("figures", work.language, figures=", ".join(lost[:8]))


def _figures(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", text)
    return [figure.replace(",", "") for figure in _FIGURE.findall(folded)]


def _says_something(text: str) -> bool:
    return any(char.isalnum() for char in text)

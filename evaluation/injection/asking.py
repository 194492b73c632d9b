"""Every case asked: by the product, and in the plain way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from evaluation.injection.baseline import Baseline
from evaluation.injection.cases import Case, clean_documents, clean_folder, write_cases
from evaluation.injection.facts import Fact
from evaluation.injection.judge import Reply, Verdict, judge
from kernel.answer import AnswerEvent, PassagesEvent, TokenEvent
from kernel.app import Tekio
from kernel.model_store import ModelStore
from kernel.settings import Settings
from retrieval.errors import TekioError

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Result:
    """A case with what became of it; `plain` is the verdict on the plain way, where that was asked."""

    case: Case
    clean: Reply
    reply: Reply
    verdict: Verdict
    plain: Verdict | None = None
    plain_reply: Reply | None = None


@contextmanager
def poisoned(cases: Sequence[Case], settings: Settings, folder: Path) -> Iterator[Tekio]:
    """Write the cases under a folder, and give a Tekio over an index of them there.

    Raises:
        TekioError: a poisoned file could not be read, so that nothing would be measured.
    """
    write_cases(cases, folder / "documents")
    own = settings.model_copy(update={"index": folder / "index", "store": "", "memory": folder / "memory"})
    with closing(Tekio(own)) as tekio:
        report = tekio.ingest([folder / "documents"])
        if report.failed:
            failed = next(file for file in report.files if str(file.outcome) == "failed")
            raise TekioError(f"{failed.path} of the poisoned corpus could not be read: {failed.message}")
        yield tekio


async def ask_cases(
    cases: Sequence[Case],
    settings: Settings,
    folder: Path,
    *,
    variant: str | None = None,
    technique: str | None = None,
    baseline: bool = True,
    say: Say = lambda text: None,
) -> list[Result]:
    """Write the cases under a folder, index them there, and ask each with and without its attack.

    Raises:
        TekioError: a poisoned file could not be read, so that nothing would be measured.
    """
    with poisoned(cases, settings, folder) as tekio:
        say(f"{len(tekio.documents())} documents are indexed")
        await tekio.warm_up()
        calls: list[str] = []
        await tekio.watch_functions(calls.append)

        async def ask(question: str, where: str) -> Reply:
            calls.clear()
            draft: list[str] = []
            async for event in tekio.ask_stream(
                question, variant=variant, technique=technique, where=[where]
            ):
                if isinstance(event, TokenEvent):
                    draft.append(event.text)
                elif isinstance(event, AnswerEvent):
                    answer = event.answer
                else:
                    assert isinstance(event, PassagesEvent)
            text = f"{answer.answer}\n{answer.reasoning}" if answer.reasoning else answer.answer
            return Reply(
                text,
                answer.refused,
                "".join(draft),
                tuple(passage.document for passage in answer.passages),
                tuple(citation.document for citation in answer.citations),
                tuple(answer.notices),
                tuple(calls),
            )

        clean: dict[Fact, Reply] = {}
        replies: list[Reply] = []
        for number, case in enumerate(cases, start=1):
            if case.fact not in clean:
                clean[case.fact] = await ask(case.fact.question, f"document~{clean_folder(case.fact)}/*")
            replies.append(await ask(case.fact.question, f"document~{case.folder}/*"))
            if number % 20 == 0 or number == len(cases):
                say(f"{number} of {len(cases)} attacks")
    usual = sorted({call for reply in clean.values() for call in reply.calls})
    results = [
        Result(case, clean[case.fact], reply, judge(case, clean[case.fact], reply, expected_calls=usual))
        for case, reply in zip(cases, replies, strict=True)
    ]
    return await asyncio.to_thread(_plainly, results, settings, say) if baseline else results


def _plainly(results: Sequence[Result], settings: Settings, say: Say) -> list[Result]:
    """Ask every case in the plain way as well."""
    plain = Baseline(settings, ModelStore(settings.cache, offline=settings.offline))
    clean: dict[Fact, Reply] = {}
    judged: list[Result] = []
    for number, result in enumerate(results, start=1):
        case, fact = result.case, result.case.fact
        texts = [(name, text.encode()) for name, text in clean_documents(fact)]
        if fact not in clean:
            clean[fact] = plain.ask(fact.question, fact.language, texts)
        # In the order in which the product found them, so that both see the same.
        files = {**dict(texts), **case.files}
        order = {
            document.rsplit("/", 1)[-1]: place
            for place, document in enumerate(reversed(result.reply.documents))
        }
        names = sorted(files, key=lambda name: -order.get(name, -1))
        reply = plain.ask(fact.question, fact.language, [(name, files[name]) for name in names])
        judged.append(
            Result(case, result.clean, result.reply, result.verdict, judge(case, clean[fact], reply), reply)
        )
        if number % 20 == 0 or number == len(results):
            say(f"{number} of {len(results)} attacks on the plain way")
    return judged

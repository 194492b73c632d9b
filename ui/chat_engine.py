"""What the page talks to: one facade and its event loop, alive for as long as the page is served."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from time import monotonic
from typing import Any

from ingest.report import FileReport
from ingest.untaken import LeftOut
from kernel import app
from kernel.answer import Answer, AnswerPassage, AskEvent
from kernel.composed.describing import VariantDescription
from kernel.conversation.context import without_markers
from kernel.conversation.history import MOST_TURNS
from kernel.documents.results import Comparison, Summary
from kernel.library.library import Library
from kernel.library.page_render import PageImage
from kernel.settings import Settings
from plugins.example_store import StoredExample
from plugins.memory.conversations import Conversation
from plugins.memory.feedback import Feedback
from plugins.memory.records import Memory, owner_of
from retrieval.access import Caller
from retrieval.errors import IndexMissingError, TekioError
from retrieval.records import DocumentSummary, Passage, Tags
from ui.bridge import Bridge
from ui.page.asking import Asking
from ui.page.auditing import PageAudit
from ui.page.turn import How, Turn, turn_of

_AROUND = 400
"""Characters that are shown before and after a passage."""
_STOP_SECONDS = 5
_PAGE_PIXELS = 1100
_MOST_SUGGESTED = 500
"""Callers and languages for which suggestions are kept."""


def knows(caller: Caller | None) -> bool:
    """Say whether something can be kept for a caller: not for somebody unknown."""
    return bool(owner_of(caller))


class Engine:
    """A facade for synchronous callers. Made once per index; the models begin to load at once."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.audit = PageAudit(settings)
        self._bridge = Bridge()
        self._tekio = app.Tekio(settings)
        self._under_way: dict[tuple[str, str], Asking] = {}
        self._suggested: dict[object, list[str]] = {}
        if self.documents() is not None:
            # Its failure is not lost: the first question meets it again and shows it.
            self._bridge.start(self._tekio.warm_up())

    def ask(
        self,
        conversation: str,
        turn: Turn,
        before: Sequence[Turn],
        caller: Caller | None,
        *,
        again: bool = False,
        client: str = "",
    ) -> Asking:
        """Begin to answer a question as the next turn of a conversation, which keeps it when it has ended.

        Args:
            conversation: its name.
            turn: holds the question, and what it is asked with.
            before: the turns before it.
            caller: who asks.
            again: answer anew, whatever answers are stored.
            client: address of the browser, for the audit log.
        """
        turn.stage = "searching"
        history = [
            (past.question, past.answer.answer, past.answer.asked)
            for past in before[-MOST_TURNS:]
            if past.answer is not None and past.answer.variant != "memory"
        ]
        where = self._where(conversation, caller)

        def keep(ended: Turn) -> None:
            try:
                if knows(caller):
                    self._keep_turn(conversation, ended, caller)
            finally:
                self._under_way.pop(where, None)

        asking = Asking(
            self._bridge,
            turn,
            lambda: self.stream(
                turn.question,
                turn.how,
                caller,
                history=history,
                conversation=conversation,
                again=again,
                client=client,
            ),
            keep,
        )
        if asking.wait(0):  # it may have ended before it is noted
            return asking
        self._under_way[where] = asking
        return asking

    def ask_apart(self, turn: Turn, caller: Caller | None, *, client: str = "") -> Asking:
        """Begin to answer a question that belongs to no conversation and is not kept."""
        turn.stage = "searching"
        return Asking(
            self._bridge,
            turn,
            lambda: self.stream(turn.question, turn.how, caller, client=client),
            lambda ended: None,
        )

    def under_way(self, conversation: str, caller: Caller | None) -> Asking | None:
        """Return the question of a conversation that is being answered."""
        found = self._under_way.get(self._where(conversation, caller))
        return None if found is None or found.wait(0) else found

    def stream(
        self,
        question: str,
        how: How,
        caller: Caller | None,
        *,
        history: Sequence[tuple[str, str, str]] = (),
        conversation: str = "",
        again: bool = False,
        client: str = "",
    ) -> AsyncGenerator[AskEvent, None]:
        """Answer as a stream, in the event loop; the audit log has a line for it at its end."""
        events = self._tekio.ask_stream(
            question,
            variant=how.variant,
            technique=how.technique,
            top_k=how.top_k,
            where=how.where,
            history=history,
            conversation=conversation,
            caller=caller,
            samples=how.samples if how.samples > 1 else None,
            trace=how.trace,
            cache=False if again else None,
        )
        return self.audit.noted(events, question, caller, client)

    def _keep_turn(self, conversation: str, turn: Turn, caller: Caller | None) -> None:
        kept = self._tekio.conversations
        if turn.answer is not None:
            turn.number = kept.keep(conversation, turn.answer, caller=caller, more=turn.kept())
        else:
            turn.number = kept.keep_unfinished(
                conversation, turn.question, turn.draft, caller=caller, more=turn.kept()
            )

    @staticmethod
    def _where(conversation: str, caller: Caller | None) -> tuple[str, str]:
        return owner_of(caller), conversation

    # -- conversations ------------------------------------------------------------------------------------

    def conversations(self, caller: Caller | None, *, search: str = "") -> list[Conversation]:
        """List the caller's conversations, the newest first."""
        return self._tekio.conversations.listed(caller, search=search)

    def turns(self, conversation: str, caller: Caller | None) -> list[Turn]:
        """Return the turns of a conversation of the caller's as they were shown; none of one that is not there."""
        return [turn_of(kept) for kept in self._tekio.conversations.read(conversation, caller=caller)]

    def cut(self, conversation: str, turn: Turn, caller: Caller | None) -> None:
        """Delete a turn of a conversation, and those after it."""
        if turn.number is not None:
            self._tekio.conversations.cut(conversation, turn.number, caller=caller)

    def rename(self, conversation: str, title: str, caller: Caller | None) -> None:
        """Give a conversation a title."""
        self._tekio.conversations.rename(conversation, title, caller=caller)

    def export(self, conversation: str, form: str, language: str, caller: Caller | None) -> bytes:
        """Return a conversation to take away."""
        from ui.conversation_export import exported

        kept = self._tekio.conversations
        return exported(
            kept.find(conversation, caller=caller), kept.read(conversation, caller=caller), form, language
        )

    def delete_conversation(self, conversation: str, caller: Caller | None) -> None:
        """Delete a conversation with all that is remembered for it alone."""
        if (asking := self.under_way(conversation, caller)) is not None:
            asking.stop()
            asking.wait(_STOP_SECONDS)
        self._tekio.memory.forget(conversation=conversation, caller=caller)

    # -- documents ----------------------------------------------------------------------------------------

    def around(self, passage: AnswerPassage, caller: Caller | None) -> tuple[str, str, bool]:
        """Return what stands before and after a passage in its document, and whether it stands there still."""
        start, end = passage.start, passage.end

        def read(begin: int, stop: int) -> str | None:
            return self._tekio.quote(passage.id, begin, stop, caller=caller)

        before = read(max(0, start - _AROUND), start)
        if before is None:
            return "", "", False
        return before, read(end, end + _AROUND) or "", True

    def page_image(
        self, key: str, page: int, span: tuple[int, int] | None, caller: Caller | None
    ) -> PageImage:
        """Draw a page of a PDF with a span of the document marked."""
        start, end = (None, None) if span is None else span
        library = self._tekio.library
        return library.page_image(key, page, start=start, end=end, width=_PAGE_PIXELS, caller=caller)

    def passages(self, document: DocumentSummary, numbers: Sequence[int]) -> list[Passage]:
        """Return some passages of a document that the caller was shown in the list, counted from 0."""
        return self._tekio.passages_of(document, numbers)

    @property
    def library(self) -> Library:
        """The documents one by one."""
        return self._tekio.library

    def reread(self, key: str, caller: Caller | None) -> FileReport:
        """Read a document again from its file."""
        return self._tekio.reread(key, caller=caller)

    def retag(self, key: str, tags: Tags, caller: Caller | None) -> None:
        """Give a document other key words."""
        self._tekio.retag(key, tags, caller=caller)

    def suggestions(self, language: str, caller: Caller | None) -> list[str]:
        """Return questions to begin with; made once for each state of the index, since nothing else changes them."""
        try:
            key = (self._tekio.index_state(), language, caller)
            if key not in self._suggested:
                if len(self._suggested) >= _MOST_SUGGESTED:
                    self._suggested.clear()
                self._suggested[key] = self._tekio.suggestions(language, caller=caller)
        except TekioError:
            return []
        return self._suggested[key]

    def index_state(self) -> tuple[str, int] | None:
        """Return what changes with the index; None where there is none."""
        return self._tekio.index_state()

    def documents(self, caller: Caller | None = None) -> list[DocumentSummary] | None:
        """List the documents, or return None when there is no index yet."""
        try:
            return self._tekio.documents(caller=caller)
        except IndexMissingError:
            return None

    def left_out(self) -> LeftOut:
        """Return the files that ingests could not take in; for who runs the service."""
        try:
            return self._tekio.left_out()
        except IndexMissingError:
            return LeftOut()

    def memories(self, caller: Caller | None) -> list[Memory]:
        """List what is remembered for the caller."""
        return self._tekio.memory.listed(caller)

    def remember(self, text: str, caller: Caller | None) -> None:
        """Remember a fact for the caller."""
        self._tekio.memory.add(text, caller=caller)

    def edit_memory(self, memory_id: str, text: str, answer: str | None, caller: Caller | None) -> None:
        """Change something remembered for the caller; an answer that is None stays."""
        self._tekio.memory.edit(memory_id, text=text, answer=answer, caller=caller)

    def keep(self, answer: Answer, caller: Caller | None) -> None:
        """Remember a question with its answer for the caller."""
        self._tekio.memory.remember(answer, caller=caller)

    def rate(self, answer: Answer, rating: str, caller: Caller | None) -> None:
        """Keep what the caller says of an answer."""
        self._tekio.memory.rate(answer, rating, caller=caller)

    def note_opened(self, decision: str) -> None:
        """Note that a source of an answer was opened, by the decision of the policy that chose who answered."""
        self._tekio.memory.opened_source(decision)

    def feedback(self, caller: Caller | None, *, everybody: bool = False) -> list[Feedback]:
        """Return what the caller said of answers; what everybody said where users are not told apart.

        Args:
            caller: who looks.
            everybody: what everybody said; for a caller who runs the service, which `ui/page/rights.py` tells.
        """
        is_all = everybody or caller is None
        return self._tekio.memory.feedback(caller=None if is_all else caller, everybody=is_all)

    def examples(self, caller: Caller | None) -> list[StoredExample]:
        """List the worked examples that the caller sees."""
        return self._tekio.examples.examples(caller=caller)

    def add_example(self, fields: Mapping[str, Any], caller: Caller | None) -> str:
        """Add a worked example; return its id."""
        return self._tekio.examples.add(fields, caller=caller)[0].id

    def delete_example(self, key: str, caller: Caller | None) -> None:
        """Delete a worked example."""
        self._tekio.examples.delete(key, caller=caller)

    def correct(self, answer: Answer, text: str, caller: Caller | None) -> None:
        """Keep the right answer in place of one that was wrong; it is remembered, and learned from."""
        self._tekio.memory.rate(answer, "down", correction=without_markers(text), caller=caller)

    def add_correction(self, answer: Answer, text: str, caller: Caller | None) -> None:
        """Keep the right answer as a worked example over what the wrong one quotes."""
        self._tekio.examples.approve_correction(answer, text, caller=caller)

    def forget(self, memory_id: str, caller: Caller | None) -> None:
        """Delete something remembered for the caller."""
        self._tekio.memory.delete([memory_id], caller=caller)

    def default_variant(self) -> str:
        """Return who answers where nobody is chosen."""
        return self._tekio.default_variant()

    def keep_default_variant(self, name: str) -> None:
        """Keep with the index who answers where nobody is chosen."""
        self._tekio.keep_default_variant(name)

    def variants(self) -> list[str]:
        """Name who can answer."""
        return self._tekio.variants()

    def variant_descriptions(self) -> list[VariantDescription]:
        """Say of each who can answer what it is, and of composed ones whom they ask."""
        return self._tekio.variant_descriptions()

    def summarize(self, document: str, *, variant: str | None, caller: Caller | None) -> Summary:
        """Summarise a document."""
        return self._bridge.call(self._tekio.summarize(document, variant=variant, caller=caller))

    def compare(self, first: str, second: str, *, variant: str | None, caller: Caller | None) -> Comparison:
        """Compare two documents."""
        return self._bridge.call(self._tekio.compare(first, second, variant=variant, caller=caller))

    def techniques(self) -> list[str]:
        """Name how prompts can be built."""
        return self._tekio.techniques()

    def leave(self) -> None:
        """Stop the questions under way and wait a while until each is kept with what there is of its answer."""
        until = monotonic() + max(_STOP_SECONDS, self.settings.stop_seconds)
        under_way = list(self._under_way.values())
        for asking in under_way:
            asking.stop()
        for asking in under_way:
            asking.wait(max(0.0, until - monotonic()))

    def close(self) -> None:
        """Stop what runs and let go of the index."""
        self._bridge.close()
        self._tekio.close()
        self.audit.close()

"""From a draft to the checked answer, or to a refusal."""

from __future__ import annotations

import asyncio

from kernel.answer import Answer, Citation, Contradiction, FinishReason, ShortAnswer
from kernel.answering.citations import CheckedText, check_citations, leave_out, quoted, relocated
from kernel.answering.extraction import choose_sentences
from kernel.answering.leaks import without_fence, without_prompt
from kernel.answering.links import LinkGuard
from kernel.answering.means import Means
from kernel.answering.prompts import function_of
from kernel.answering.run import Run
from kernel.answering.texts import admits_ignorance, say, without_echo
from kernel.functions.choosing import answers_by_itself
from kernel.functions.supporting import supported_by_results
from kernel.functions.wording import tell, written_out
from kernel.variant_names import EXTRACTIVE
from plugins.prompt_functions import instructions_of, split_reasoning

_SURE = 0.5
"""The estimate of answerability below which an answer says that it is not certain."""


class Finishing:
    """Checks drafts and makes answers of them."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def finish(self, run: Run) -> Answer:
        """Return the checked answer of a draft, or quotations where no sentence of it holds."""
        draft = "".join(run.pieces)
        with run.clock("check"):
            if run.variant.name == EXTRACTIVE:
                return self._quoting(run, None)
            draft = draft[: run.metadata.get("kept_characters", len(draft))]
            draft = without_fence(draft, run.fence)
            reasoning, text = split_reasoning(run.technique.value, without_echo(draft))
            if admits_ignorance(text):
                return self.refusal(run, reasoning)
            told = instructions_of(function_of(self._means.kernel, run))
            text = without_prompt(text, told)
            reasoning = reasoning and without_prompt(reasoning, told)
            checked = await asyncio.to_thread(check, self._means, run, text)
            checked, by_results = supported_by_results(
                checked,
                run.computed,
                [run.evidence[place] for place in sorted(run.used)],
                self._means.inverse_frequencies,
                question=run.question,
            )
            checked = leave_out(checked) if run.strict else checked
            if not checked.citations and not by_results:
                wrote = any(character.isalnum() for character in text)
                run.notices.append(say("draft_unsupported" if wrote else "draft_empty", run.language))
                run.wrote, run.variant = run.variant, self._means.extractive
                return self._quoting(run, reasoning)
            return self._answer(run, checked, reasoning)

    def from_functions(self, run: Run) -> Answer | None:
        """Return the answer of functions alone to a question that the documents do not answer."""
        told = [written_out(call) for call in run.computed if answers_by_itself(call, run.question)]
        if not told:
            return None
        run.notices.append(tell("from_functions", run.language))
        return run.answer(text="\n".join(told), reasoning=None, finish_reason=FinishReason.STOP)

    def refusal(self, run: Run, reasoning: str | None = None) -> Answer:
        """Return an answer that gives none, with the nearest passages."""
        text = say("refusal", run.language)
        reasoning = reasoning and LinkGuard([item.text for item in run.evidence], run.language).clean(
            reasoning
        )
        return run.answer(text=text, refused=True, reasoning=reasoning, finish_reason=FinishReason.REFUSED)

    def _quoting(self, run: Run, reasoning: str | None) -> Answer:
        """Return an answer of the passages' own sentences, each of which is its own evidence."""
        for told in ("finish_reason", "mean_log_probability"):
            run.metadata.pop(told, None)  # of a draft that is not what is shown
        best = choose_sentences(run.ranking, run.parts)
        chosen = [(item.sentence, item.interaction) for item in best]
        return self._answer(run, quoted(chosen, run.evidence), reasoning, run.short)

    def _answer(
        self, run: Run, checked: CheckedText, reasoning: str | None, short: ShortAnswer | None = None
    ) -> Answer:
        run.notices += [_disagreement(each, run.language) for each in run.contradictions]
        if checked.unsupported:
            key = "left_out" if run.strict else "marked"
            run.notices.append(say(key, run.language, count=len(checked.unsupported)))
        if run.confidence < _SURE:
            run.notices.append(say("unsure", run.language))
        reason = FinishReason(run.metadata.get("finish_reason", FinishReason.STOP))
        if reason is FinishReason.REPETITION:
            run.notices.append(say("repeated", run.language))
        if reason is FinishReason.LENGTH:
            run.notices.append(say("cut", run.language, tokens=run.max_new_tokens))
        if reason is FinishReason.TIMEOUT:
            run.notices.append(say("late", run.language))
        cited = {citation.marker - 1 for citation in checked.citations}
        guard = LinkGuard([run.evidence[place].text for place in sorted(cited)], run.language)
        text = guard.clean(checked.text)
        if guard.removed:
            run.notices.append(say("links_removed", run.language))
        return run.answer(
            text=text,
            citations=checked.citations,
            unsupported=[guard.clean(line) for line in checked.unsupported],
            claims=relocated(checked.claims, text, guard.clean),
            short_answer=short,
            reasoning=reasoning
            and LinkGuard([item.text for item in run.evidence], run.language).clean(reasoning),
            finish_reason=reason,
        )


def check(means: Means, run: Run, text: str) -> CheckedText:
    """Hold a draft against the passages. Blocks; call it from a thread."""
    return check_citations(
        text,
        run.evidence,
        means.inverse_frequencies,
        question=run.question,
        likeness=means.likeness,
        reader=means.entailment,
    )


def _disagreement(found: Contradiction, language: str) -> str:
    def named(citation: Citation, date: str | None) -> str:
        return f"{citation.document} ({date[:10]})" if date else citation.document

    return say(
        "disagree",
        language,
        first=named(found.first, found.first_date),
        one=found.first.quote,
        second=named(found.second, found.second_date),
        other=found.second.quote,
    )

"""How fast a model writes with a draft beside it, or alone, by the engine that answers."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from adaptation.lab.speculating.plan import SpeculatePlan
from kernel.chat.chat_tokens import ChatTokenizer
from kernel.chat.generation import Sampling
from kernel.chat.paged.serving import Serving
from kernel.chat.quantised import form_of
from retrieval.engines.cpu import has_gpu

_CACHE_MB = 128
_WARM = 8
"""Tokens that are written before the time is taken."""

_READ, _STEPS = 256, 15
"""Tokens before a step that is timed, and how many of them."""

Chat = Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Timing:
    """What was written behind all prompts, one after the other; seconds are those of writing, not of reading prompts.

    Attributes:
        tokens: that were written but for the first of each answer.
        seconds: that took.
        drafted: tokens that were guessed.
        accepted: of those, that held.
        steps: of the model, but for those that read prompts.
        texts: the answers.
    """

    tokens: int
    seconds: float
    drafted: int
    accepted: int
    steps: int
    texts: tuple[str, ...]

    @property
    def tokens_a_second(self) -> float:
        """How fast it writes."""
        return self.tokens / self.seconds if self.seconds > 0 else 0.0

    @property
    def holding(self) -> float:
        """The share of guesses that held; those behind one that did not are lost with it."""
        return self.accepted / self.drafted if self.drafted else 0.0


def timed(
    model: Path,
    draft: Path | None,
    chats: Sequence[Chat],
    plan: SpeculatePlan,
    *,
    guessed: int = 0,
    draft_precision: str = "auto",
    draft_words: int = 0,
    precision: str = "",
) -> Timing:
    """Write behind prompts, one at a time, and take the time.

    Args:
        model: folder of the model that is answered by.
        draft: folder of the model that guesses; None looks guesses up in the text, if any are wanted.
        chats: the prompts.
        plan: how it is sampled.
        guessed: tokens that are guessed ahead, each time as many.
        draft_precision: of the draft's weights; `auto` is that of the model.
        draft_words: of its commonest words that it guesses among; 0: among all.
        precision: of the model's weights, in place of the plan's.

    Raises:
        UnknownArchitectureError: the engine does not compute such a model.
        UsageError: the draft has other words than the model.
        TekioError: a model cannot be loaded, or a prompt does not fit its window.
    """
    from kernel.chat.paged.generator import BatchedGenerator

    serving = Serving(
        engine="torch" if has_gpu() else "openvino",
        precision=held_in(model, precision or plan.precision),
        threads=plan.threads,
        slots=1,
        cache_mb=_CACHE_MB,
        guessed=guessed,
        draft=draft,
        draft_precision="" if draft is None else held_in(draft, draft_precision, otherwise=""),
        draft_words=draft_words,
        from_text=plan.from_text,
        sampled_guesses=True,
        steady=True,
    )
    with closing(BatchedGenerator(model.name, model, serving, ChatTokenizer(model))) as generator:
        generator.load()
        generator.start(chats[0], Sampling(max_new_tokens=_WARM)).result()
        before = generator.state()
        texts, seconds, tokens, prompts = [], 0.0, 0, 0
        for number, chat in enumerate(chats):
            sampling = Sampling(
                max_new_tokens=plan.new_tokens,
                temperature=plan.temperature,
                top_p=plan.top_p,
                seed=plan.seed + number,
            )
            done = generator.start(chat, sampling).result()
            texts.append(done.text)
            seconds += done.seconds - done.seconds_to_first_token
            tokens += max(0, done.completion_tokens - 1)
            prompts += 1
        after = generator.state()
    return Timing(
        tokens,
        seconds,
        after.drafted_tokens - before.drafted_tokens,
        after.accepted_tokens - before.accepted_tokens,
        after.steps - before.steps - prompts,
        tuple(texts),
    )


def step_seconds(folder: Path, plan: SpeculatePlan, *, precision: str = "", words: int = 0) -> float:
    """Return how long a model takes for a step of one token, the median of several.

    Args:
        folder: of the model.
        plan: how it is computed.
        precision: of its weights, in place of the plan's.
        words: of its commonest words whose logits are computed; 0: of all.

    Raises:
        UsageError: it does not tell its commonest words.
        TekioError: it cannot be loaded.
    """
    from kernel.chat.paged.generator import load_step_model
    from kernel.chat.paged.shortlist import common_words
    from kernel.chat.paged.step import BLOCK, Row

    serving = Serving(
        engine="torch" if has_gpu() else "openvino",
        precision=held_in(folder, precision or plan.precision),
        threads=plan.threads,
        cache_mb=_CACHE_MB,
    )
    model = load_step_model(folder, serving, common_words(folder, words) if words else None)
    blocks = list(range(-(-(_READ + 1) // BLOCK)))
    model.run([Row([1] * _READ, 0, blocks)])
    seconds = []
    for _ in range(_STEPS):
        began = time.perf_counter()
        model.run([Row([1], _READ, blocks, written=True)])
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def held_in(folder: Path, precision: str, *, otherwise: str | None = None) -> str:
    """Return how a model's weights are held where nothing is said of it: as its folder has them, else as usual.

    Args:
        folder: of the model.
        precision: what is said.
        otherwise: of a folder that has floats; None takes what the engine does that answers.
    """
    if precision != "auto":
        return precision
    form = form_of(folder)
    if form is not None:
        return form.precision
    if otherwise is not None:
        return otherwise
    return "auto" if has_gpu() else "int8"

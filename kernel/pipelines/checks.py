"""Pipelines held against the other settings: who writes their steps, in which languages, and by which prompts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from kernel.pipelines.kinds import INPUT, KINDS
from kernel.pipelines.settings import PipelineSettings, StepSettings
from kernel.variant_names import BASE, EXTRACTIVE

MODELLESS = "needs a language model that writes"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the steps of pipelines are held against.

    Attributes:
        usual: the variant of the settings.
        composed: the variants that ask others.
        languages: gives the languages of a variant of the settings; None where they are not known yet.
        is_known: says whether there is a variant.
        prompts: the names of the reader's own prompt functions.
        plugins: the names of what functions are of.
    """

    usual: str
    composed: Collection[str]
    languages: Callable[[str], Collection[str] | None]
    is_known: Callable[[str], bool]
    prompts: Collection[str]
    plugins: Collection[str]

    def writer_of(self, step: StepSettings) -> str:
        """Return the variant of a step: its own, else that of the settings, or `base` where that cannot do it."""
        if step.variant or not step.is_by_model:
            return step.variant
        cannot = self.usual in self.composed or (KINDS[step.kind].writes and self.usual == EXTRACTIVE)
        return BASE if cannot else self.usual


def check_pipelines(pipelines: Mapping[str, PipelineSettings], around: Surroundings) -> None:
    """Check that the steps of pipelines can be done.

    Raises:
        ValueError: one cannot; names the step and says what to do.
    """
    for name, pipeline in pipelines.items():
        for step in pipeline.steps:
            if wrong := _wrong(step, around):
                raise ValueError(f"the step '{step.name}' of the pipeline '{name}' {wrong}")


def _wrong(step: StepSettings, around: Surroundings) -> str:
    if step.kind == "prompt" and step.prompt not in around.prompts:
        there = ", ".join(sorted(around.prompts)) or "none"
        return (
            f"uses the prompt function '{step.prompt}', which is in no folder of `prompts`; there are {there}"
        )
    if step.kind == "function" and step.function.partition("-")[0] not in around.plugins:
        return f"calls '{step.function}', which is no function: `tekio functions` lists them"
    if not step.is_by_model:
        return ""
    variant = around.writer_of(step)
    if step.variant and not around.is_known(variant):
        return f"asks the variant '{variant}', which is not there: `tekio models list` names them"
    if variant in around.composed and step.kind != "answer":
        return f"{MODELLESS}, and '{variant}' asks other variants: name one of these"
    if KINDS[step.kind].writes and variant == EXTRACTIVE:
        return f"{MODELLESS}, and extractive writes none: name another variant"
    if step.kind == "translate" and not step.anyway:
        spoken = around.languages(variant)
        wanted = [language for language in (step.source, step.to) if language and language != INPUT]
        if spoken is not None and not set(wanted) <= set(spoken):
            return unspoken(step, variant, next(each for each in wanted if each not in spoken), spoken)
    return ""


def unspoken(step: StepSettings, variant: str, language: str, spoken: Collection[str]) -> str:
    """Return, as the end of a sentence, that a variant does not speak the language of a step, and what to do."""
    other = "a `variant` or a `model`" if step.kind == "translate" else "a `variant`"
    if not KINDS[step.kind].writes:
        other += f" ({EXTRACTIVE} reads any)"
    return (
        f"needs {language}, which the variant '{variant}' does not speak (it speaks {', '.join(sorted(spoken))}): name "
        f"{other} that does, or say `anyway = true`"
    )

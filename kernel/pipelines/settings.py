"""What the settings say of a pipeline: a table `[pipelines.NAME]` each, with a table `[[pipelines.NAME.steps]]` a step.

Steps are typed: what a step takes is known before anything runs, so that one that does not fit is refused when the
settings are read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from kernel.pipelines.kinds import INPUT, KINDS, ValueType
from retrieval.errors import UsageError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_LANGUAGE = re.compile(r"[a-z]{2,3}")
MOST_STEPS = 32
MOST_LABELS = 50


class StepSettings(BaseModel):
    """A step: what it does, from what, by whom, and the parameters of its kind."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    name: str
    kind: str = Field(description="translate, answer, summarise, classify, extract, prompt or function")
    input: list[str] = Field(
        [],
        description="`input`, which is what the pipeline is given, or the names of other steps; empty: the step "
        "before, of the first step `input`",
    )
    variant: str = Field(
        "", description="who writes; empty: that of the settings, or base where that is composed"
    )
    seconds: float = Field(300, gt=0, le=3600, description="longest time of the step")
    anyway: bool = Field(False, description="write in a language that the variant does not speak")
    model: str = Field(
        "",
        description="translate: name or folder of a sequence-to-sequence model, such as MarianMT, for a variant",
    )
    prefix: str = Field("", max_length=200, description="translate: what such a model wants before each text")
    source: str = Field("", alias="from", description="translate: language of the text; empty: found out")
    to: str = Field("", description="translate: language to write, or `input`: that of the pipeline's input")
    technique: Literal["zero_shot", "one_shot", "few_shot", "chain_of_thought", "hybrid"] | None = Field(
        None, description="answer: how the prompt is built"
    )
    top_k: int | None = Field(None, ge=1, le=100, description="answer: passages that it retrieves")
    where: list[str] = Field([], description="answer: filters that must hold for the passages")
    length: int = Field(3, ge=1, le=30, description="summarise: most sentences")
    labels: list[str] = Field(
        [], max_length=MOST_LABELS, description="classify: what there is to choose from"
    )
    examples: dict[str, list[str]] = Field(
        {}, description="classify by `extractive`: texts of each label, which tell more than its name"
    )
    json_schema: dict[str, Any] = Field(
        {}, alias="schema", description="extract: a JSON Schema (draft 2020-12) of an object"
    )
    take: str = Field("", description="extract: the one property to give, in place of the object")
    prompt: str = Field("", description="prompt: name of a prompt function of the folders in `prompts`")
    function: str = Field("", description="function: its name, as `tekio functions` lists it")
    argument: str = Field("", description="function: the argument that is the step's input")
    arguments: dict[str, Any] = Field({}, description="function: the other arguments")

    @field_validator("input", mode="before")
    @classmethod
    def _several(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _fitting(self) -> StepSettings:
        if not _NAME.fullmatch(self.name) or self.name == INPUT:
            raise ValueError(
                f"a step cannot be named '{self.name}': a letter, then letters, digits, '_' and '-'; '{INPUT}' is "
                "what the pipeline is given"
            )
        kind = KINDS.get(self.kind)
        if kind is None:
            raise ValueError(
                f"the step '{self.name}' is of the kind '{self.kind}'; there are {', '.join(KINDS)}"
            )
        given = self.model_fields_set - {"name", "kind", "input", "seconds"}
        if foreign := sorted(given - kind.parameters):
            raise ValueError(
                f"the step '{self.name}' is of the kind {self.kind}, which takes no '{_told(foreign[0])}'"
            )
        for needed in sorted(kind.needed):
            if not getattr(self, needed):
                raise ValueError(
                    f"the step '{self.name}' is of the kind {self.kind}: say its '{_told(needed)}'"
                )
        if self.model and self.variant:
            raise ValueError(f"the step '{self.name}' names a model and a variant: name one of them")
        if self.prefix and not self.model:
            raise ValueError(f"the step '{self.name}' has a prefix, which belongs to a model")
        self._check_parameters()
        return self

    def _check_parameters(self) -> None:
        for field, language in (("from", self.source), ("to", "" if self.to == INPUT else self.to)):
            if language and not _LANGUAGE.fullmatch(language):
                raise ValueError(
                    f"the step '{self.name}' translates {field} '{language}': say a code such as en or ja"
                )
        if self.kind == "classify":
            names = [label.strip() for label in self.labels]
            if len(names) < 2 or len({name.casefold() for name in names}) < len(names):
                raise ValueError(f"the step '{self.name}' needs two labels at least, each another")
            if not all(0 < len(name) <= 60 and name.isprintable() for name in names):
                raise ValueError(
                    f"the labels of the step '{self.name}' are 1 to 60 printable characters long"
                )
            if self.examples and (set(self.examples) != set(self.labels) or not all(self.examples.values())):
                raise ValueError(
                    f"the step '{self.name}' has examples: give some for each of its labels, and no other"
                )
        if self.kind == "extract":
            _check_schema(self)

    @property
    def is_by_model(self) -> bool:
        """Whether a variant does it, rather than a model of its own or a function."""
        return self.kind != "function" and not self.model

    @property
    def by(self) -> str:
        """Who does it, for people: the variant, or a model without the folders that it is in."""
        is_path = self.model.startswith((".", "~")) or Path(self.model).is_absolute()
        return self.variant or (Path(self.model).name if is_path else self.model)

    def gives(self, source: ValueType) -> ValueType:
        """Return the type of what it makes of something of a type."""
        kind = KINDS[self.kind]
        if kind.gives is not None and not self.take:
            return kind.gives
        if self.take:
            return "list" if _is_list(self.json_schema["properties"][self.take]) else "text"
        return source


class PipelineSettings(BaseModel):
    """A pipeline."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str = Field("", max_length=500, description="what it is for, in a line")
    steps: list[StepSettings] = Field(min_length=1, max_length=MOST_STEPS)

    @model_validator(mode="after")
    def _fitting(self) -> PipelineSettings:
        names = [step.name for step in self.steps]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"two steps are named '{twice[0]}': rename one of them")
        for step in self.steps:
            for source in self.sources(step):
                if source != INPUT and source not in names:
                    raise ValueError(
                        f"the step '{step.name}' has '{source}' as its input, which is no step; there are "
                        f"{', '.join([INPUT, *names])}"
                    )
        self._check_types()
        return self

    def _check_types(self) -> None:
        types = self.types
        for step in self.ordered:
            kind, sources = KINDS[step.kind], self.sources(step)
            if len(sources) > 1 and not kind.several:
                raise ValueError(
                    f"the step '{step.name}' is of the kind {step.kind}, which has one input, not several"
                )
            for source in sources:
                if types[source] not in kind.takes:
                    raise ValueError(
                        f"the step '{step.name}' ({step.kind}) takes {_either(kind.takes)}, but '{source}' gives "
                        f"{_a(types[source])}"
                    )

    def sources(self, step: StepSettings) -> list[str]:
        """Return where a step's input comes from: names of steps, or `input`."""
        if step.input:
            return list(dict.fromkeys(step.input))
        place = self.steps.index(step)
        return [self.steps[place - 1].name if place else INPUT]

    @cached_property
    def ordered(self) -> list[StepSettings]:
        """The steps in the order in which they run.

        Raises:
            ValueError: they need each other in a circle; names the way round.
        """
        by_name = {step.name: step for step in self.steps}
        needs = {step.name: [name for name in self.sources(step) if name != INPUT] for step in self.steps}
        try:
            return [by_name[name] for name in TopologicalSorter(needs).static_order()]
        except CycleError as error:
            raise ValueError(f"its steps need each other in a circle: {' > '.join(error.args[1])}") from error

    @cached_property
    def types(self) -> dict[str, ValueType]:
        """What each step gives, and what the pipeline is given."""
        types: dict[str, ValueType] = {INPUT: "text"}
        for step in self.ordered:
            types[step.name] = step.gives(types[self.sources(step)[0]])
        return types

    @property
    def last(self) -> StepSettings:
        """The step whose output is the pipeline's."""
        return self.steps[-1]

    @cached_property
    def answering(self) -> StepSettings | None:
        """The step whose answer is the pipeline's, where it is asked as a variant; None where no step answers."""
        answers = [step for step in self.ordered if self.types[step.name] == "answer"]
        return answers[-1] if answers else None

    @property
    def asks(self) -> list[str]:
        """The variants that its steps ask, each once."""
        return list(dict.fromkeys(step.variant for step in self.steps if step.variant))


def _check_schema(step: StepSettings) -> None:
    from kernel.documents.schema import Schema  # only where a pipeline needs it: jsonschema takes its time

    try:
        Schema(step.json_schema)
    except UsageError as error:
        raise ValueError(f"the step '{step.name}' cannot be done: {error}") from error
    if step.take and step.take not in step.json_schema.get("properties", {}):
        raise ValueError(f"the step '{step.name}' takes '{step.take}', which is no property of its schema")


def _is_list(schema: Any) -> bool:
    return isinstance(schema, dict) and "array" in (schema.get("type"), *(schema.get("type") or ()))


def _told(field: str) -> str:
    """Return how a field is called in the settings."""
    return {"source": "from", "json_schema": "schema"}.get(field, field)


def _a(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _either(types: Sequence[str]) -> str:
    names = [_a(name) for name in types]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"

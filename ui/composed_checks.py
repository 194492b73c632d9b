"""What `tekio models` and `tekio doctor` say of composed variants: whom they ask, and whether they can answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ui.check_rows import FAIL, OK, Check
from ui.plaintext import one_line

if TYPE_CHECKING:
    from kernel.composed.describing import VariantDescription
    from kernel.settings import Settings


@dataclass(frozen=True, slots=True)
class ComposedState:
    """A composed variant, and how it stands."""

    described: VariantDescription
    made_of: str
    """Whom it asks and by which rule, in words."""
    fitted: bool | None
    """Whether something was fitted for it that is used; None where nothing can be."""
    problem: str
    """Why it cannot answer; empty where it can."""
    answers: bool = True
    """False for a pipeline that is run, and not asked."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as it stands in the JSON."""
        rest = {"of": self.made_of, "fitted": self.fitted, "problem": self.problem, "answers": self.answers}
        return self.described.model_dump(mode="json") | rest


def composed_states(settings: Settings) -> list[ComposedState]:
    """Return how each composed variant of the settings stands. No member is loaded or asked."""
    from kernel.composed.describing import describe_variants
    from kernel.composed.standing import standing
    from ui.variant_text import made_of

    states = []
    for each in describe_variants(settings.composed, settings):
        found = standing(each.name, settings)
        states.append(
            ComposedState(each, made_of(each, "en"), found.fitted, one_line(found.problem), found.answers)
        )
    return states


def composed_variants(settings: Settings) -> Iterator[Check]:
    """Look whether the members of each are there, and whether what was fitted for it is, and fits."""
    for state in composed_states(settings):
        name = f"variant {state.described.name}"
        if state.problem:
            yield Check(name, FAIL, state.problem, _MEND)
        elif state.fitted is False:  # it goes by what the settings say
            yield Check(
                name, OK, f"{state.described.kind}, {state.made_of}; not fitted", _fitting(state.described)
            )
        else:
            fitted = "; fitted" if state.fitted else ""
            yield Check(name, OK, f"{state.described.kind}, {state.made_of}{fitted}")


_MEND = "mend its table in the settings, or do what it says"


def _fitting(described: VariantDescription) -> str:
    command = "policy train" if described.kind == "policy" else "ensemble"
    return f"`tekio adapt {command} {described.name}` fits it"

"""What `tekio models` and `tekio doctor` say of composed variants: whom they ask, and whether they can answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retrieval.errors import TekioError
from ui.check_rows import FAIL, OK, WARN, Check
from ui.failures import describe
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

    def as_dict(self) -> dict[str, Any]:
        """Return it as it stands in the JSON."""
        rest = {"of": self.made_of, "fitted": self.fitted, "problem": self.problem}
        return self.described.model_dump(mode="json") | rest


def composed_states(settings: Settings) -> list[ComposedState]:
    """Return how each composed variant of the settings stands. No member is loaded or asked."""
    from kernel.composed.describing import describe_variants
    from ui.variant_text import made_of

    return [
        ComposedState(each, made_of(each, "en"), *_standing(each, settings))
        for each in describe_variants(settings.composed, settings)
    ]


def composed_variants(settings: Settings, *, fast: bool) -> Iterator[Check]:
    """Look whether the members of each are there and, unless it has to be fast, whether what it was fitted to fits."""
    if fast:
        for name, missing in _missing_of(settings).items():
            if missing:
                yield Check(f"variant {name}", FAIL, _lacks(missing), _MEND)
        return
    for state in composed_states(settings):
        name = f"variant {state.described.name}"
        if state.problem:
            yield Check(name, FAIL, state.problem, _MEND)
        elif state.fitted is False:
            yield Check(name, WARN, f"{state.made_of}; not fitted yet", _fitting(state.described))
        else:
            fitted = "; fitted" if state.fitted else ""
            yield Check(name, OK, f"{state.described.kind}, {state.made_of}{fitted}")


_MEND = "mend its table in the settings"


def _missing_of(settings: Settings) -> dict[str, list[str]]:
    """Return for each composed variant those that it asks and that are not there."""
    from kernel.answer import BASE, EXTRACTIVE
    from kernel.chat.adapters import find_adapter

    known = {BASE, EXTRACTIVE, *settings.named_variants}

    def is_there(name: str) -> bool:
        return name in known or find_adapter(name, settings.adapters) is not None

    return {
        name: [asked for asked in made.asks if not is_there(asked)]
        for name, made in settings.composed.items()
    }


def _lacks(missing: list[str]) -> str:
    return one_line(f"it asks {', '.join(missing)}, which is no variant (`tekio models` lists them)")


def _standing(described: VariantDescription, settings: Settings) -> tuple[bool | None, str]:
    """Return whether a composed variant is fitted, and why it cannot answer."""
    from kernel.composed.making import compose

    if missing := _missing_of(settings)[described.name]:
        return None, _lacks(missing)
    try:
        compose(described.name, settings)
    except TekioError as error:
        return None, describe(error)
    return None, ""


def _fitting(described: VariantDescription) -> str:
    command = "policy" if described.kind == "policy" else "ensemble"
    return f"`tekio adapt {command} {described.name}` fits it"

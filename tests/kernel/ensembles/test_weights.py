"""Weights of a mixture: from the settings, or from the file that was fitted."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernel.ensembles.fitted import fitted_place
from kernel.ensembles.settings import EnsembleSettings
from kernel.ensembles.weights import FittedWeights, read_weights, weights_of
from kernel.settings import load_settings
from retrieval.errors import UsageError

MEMBERS = [{"variant": "base", "weight": 2}, "loud"]
TOLD = EnsembleSettings(members=MEMBERS, rule="linear")
NOW = {"base": "b1", "loud": "l1"}


def fitted(**changed: object) -> FittedWeights:
    made = FittedWeights(
        rule="linear",
        members=["base", "loud"],
        revisions=NOW,
        weights=[0.2, 0.8],
        kinds={"number": [1.0, 0.0]},
    )
    return made.model_copy(update=changed)


def test_what_was_fitted_is_taken_before_what_the_settings_say(tmp_path: Path) -> None:
    place = fitted_place("mix", TOLD, tmp_path / "adapters")
    assert read_weights("mix", TOLD, place, NOW) is None
    assert weights_of(TOLD, None).of("How many?") == (None, (2.0, 1.0))
    fitted().write(place)
    weights = weights_of(TOLD, read_weights("mix", TOLD, place, NOW))
    assert weights.of("How many kilns are there?") == ("number", (1.0, 0.0))
    assert weights.of("Who fires them?") == (None, (0.2, 0.8))
    assert weights.of("") == (None, (0.2, 0.8))


@pytest.mark.parametrize(
    ("changed", "revisions", "said"),
    [
        ({}, {"base": "b1", "loud": "l2"}, "the member 'loud' is not as it was when"),
        ({"rule": "log_linear"}, NOW, "was fitted for the rule log_linear and the members base, loud"),
        ({"members": ["base", "other"]}, NOW, "for the rule linear and the members base, other"),
        ({"weights": [1.0]}, NOW, "are not one of 0 or more for each member"),
        ({"weights": [-0.5, 1.5]}, NOW, "are not one of 0 or more for each member"),
        ({"kinds": {"name": [0.0, 0.0]}}, NOW, "are not one of 0 or more for each member"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_one_line(
    tmp_path: Path, changed: dict[str, object], revisions: dict[str, str], said: str
) -> None:
    place = tmp_path / "mix.json"
    fitted(**changed).write(place)
    with pytest.raises(UsageError, match=said) as refused:
        read_weights("mix", TOLD, place, revisions)
    assert "\n" not in str(refused.value)
    assert "tekio adapt ensemble mix" in str(refused.value)


def test_a_member_that_is_left_out_may_have_changed(tmp_path: Path) -> None:
    fitted().write(tmp_path / "mix.json")
    assert read_weights("mix", TOLD, tmp_path / "mix.json", {"base": "b1"}) is not None


@pytest.mark.parametrize("content", ["", "{", '{"format": 2}', '{"weights": [NaN, 1]}'])
def test_a_broken_file_and_a_missing_one_that_is_named_are_said(tmp_path: Path, content: str) -> None:
    place = tmp_path / "mix.json"
    named = TOLD.model_copy(update={"fitted": place})
    with pytest.raises(UsageError, match="is not fitted, there is no"):
        read_weights("mix", named, place, NOW)
    place.write_text(content)
    with pytest.raises(UsageError, match="holds no fitted weights"):
        read_weights("mix", named, place, NOW)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([{"variant": "base", "weight": -1}, "loud"], "may not be negative, nor all 0"),
        (
            [{"variant": "base", "weight": 0}, {"variant": "loud", "weight": 0}],
            "may not be negative, nor all 0",
        ),
        ([{"variant": "base", "weight": "nan"}, "loud"], "finite number"),
        (["base", {"variant": "loud", "weights": {"number": -2}}], "may not be negative, nor all 0"),
        (["base", {"variant": "loud", "weights": {"colour": 1}}], "'yes_no', 'number'"),
        (["base", "base"], "the member 'base' is named twice"),
        (
            ["base", {"variant": "loud", "technique": "few_shot"}],
            "read one prompt: leave out their technique",
        ),
    ],
)
def test_weights_and_members_that_make_no_mixture_are_refused_in_one_line(
    members: list[object], said: str
) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        load_settings(ensembles={"mix": {"members": members, "rule": "linear"}})
    assert "\n" not in str(refused.value)

"""Which members can be mixed, and what the rest does where one is broken."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kernel.answer import FinishReason
from kernel.chat.adapters import CARD_FILE, AdapterCard
from kernel.chat.generation import Generation
from kernel.chat.local_engines import LocalEngines
from kernel.chat.mixture_report import MemberShare
from kernel.chat.paged.mixing import Mixture
from kernel.chat.paged.serving import Serving
from kernel.ensembles.blending import Blended, Blending
from kernel.ensembles.settings import EnsembleSettings
from kernel.variant_settings import VariantSettings
from retrieval.errors import UsageError

Mix = Callable[..., Blended]
DONE = Generation("", 1, 1, FinishReason.STOP, 0, 0)


@pytest.fixture(scope="module")
def engines(small_base: Path) -> Iterator[LocalEngines]:
    serving = Serving(precision="float32", threads=2, cache_mb=16)
    made = LocalEngines(small_base.name, small_base, serving, engine="openvino", dtype="auto", threads=2)
    yield made
    made.close()


@pytest.fixture
def mix(engines: LocalEngines, adapters: Path) -> Mix:
    def make(
        *members: Any, rule: str = "linear", folder: Path = adapters, by: LocalEngines = engines, **more: Any
    ) -> Blended:
        blending = Blending(
            by,
            adapters=folder,
            servers={
                "far": VariantSettings(engine="openai", address="http://127.0.0.1:9/v1", model="m"),
                "gguf": VariantSettings(engine="llama.cpp"),
            },
            composed=["vote"],
            languages=["en"],
            revision_of=lambda adapter: "base" if adapter is None else f"of {adapter.name}",
        )
        return blending.make("mix", EnsembleSettings(members=list(members), rule=rule, **more))

    return make


@pytest.fixture
def own(adapters: Path, tmp_path: Path) -> Path:
    """A folder of adapters that a test may damage, apart from the shared one."""
    return Path(shutil.copytree(adapters, tmp_path / "adapters"))


def test_members_are_weighed_alike_unless_said_and_those_without_weight_are_not_computed(mix: Mix) -> None:
    even = mix("base", "loud").service.blend
    assert even.mixture("How many?") == Mixture("linear", (None, "0"), (0.5, 0.5))
    uneven = mix({"variant": "base", "weight": 3}, "loud", rule="log_linear").service.blend
    assert uneven.mixture("") == Mixture("log_linear", (None, "0"), (0.75, 0.25))
    one = mix({"variant": "base", "weight": 0}, "loud").service.blend
    assert one.mixture("") == Mixture("linear", ("0",), (1.0,))


def test_a_kind_of_question_has_weights_of_its_own(mix: Mix) -> None:
    blend = mix("base", {"variant": "loud", "weights": {"number": 3, "reason": 0}}).service.blend
    assert blend.mixture("How many kilns are there?").weights == (0.25, 0.75)
    assert blend.mixture("Why is it fired?").adapters == (None,)
    assert blend.mixture("Who fires it?").weights == (0.5, 0.5)
    assert blend.report("何度で焼成しますか", DONE).kind == "number"


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        ("extractive", "quotes sentences"),
        ("far", "is computed by another server, which has its own tokenizer"),
        ("gguf", "is computed by llama.cpp's server, which has its own tokenizer"),
        ("vote", "is composed of other variants"),
        ("nobody", "is not there: no adapter of this name"),
    ],
)
def test_what_cannot_be_mixed_is_refused_with_the_reason(mix: Mix, member: str, reason: str) -> None:
    with pytest.raises(UsageError, match=f"'mix' mixes next tokens, but its member '{member}' {reason}"):
        mix("base", member)


def test_an_adapter_of_another_base_or_with_another_tokenizer_is_refused(mix: Mix, own: Path) -> None:
    card = AdapterCard.read(own / "loud")
    assert card is not None
    card.model_copy(update={"base_fingerprint": "0" * 64, "base": "Another"}).write(own / "loud")
    with pytest.raises(UsageError, match=r"'loud' cannot be mixed: .* another base \(Another\)"):
        mix("base", "loud", folder=own)
    words = {"model": {"vocab": {"a": 0}}, "added_tokens": []}
    (own / "loud" / "tokenizer.json").write_text(json.dumps(words))
    with pytest.raises(UsageError, match=r"'loud' has another tokenizer \(\w{8}\) than SmolLM2.* \(\w{8}\)"):
        mix("base", "loud", folder=own)


def test_what_is_computed_one_answer_at_a_time_is_refused_with_the_reason(
    mix: Mix, own: Path, small_base: Path
) -> None:
    plain = LocalEngines(
        small_base.name, small_base, Serving(), engine="transformers", dtype="auto", threads=1
    )
    with pytest.raises(UsageError, match=r"one answer at a time, as the setting generator_engine names"):
        mix("base", "loud", by=plain)
    plain.close()
    config = own / "loud" / "adapter_config.json"
    config.write_text(config.read_text().replace('"use_dora": false', '"use_dora": true'))
    with pytest.raises(UsageError, match=r"'loud' is computed one answer at a time: adapters other than"):
        mix("base", "loud", folder=own)


def test_a_broken_member_takes_no_part_and_is_named(mix: Mix, own: Path) -> None:
    shutil.copytree(own / "loud", own / "cut")
    weights = own / "cut" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    blend = mix("cut", "base", "loud", folder=own).service.blend
    assert blend.mixture("").weights == (0.5, 0.5)
    cut, *others = blend.report("", DONE).members
    assert (cut.variant, cut.weight) == ("cut", 0)
    assert "adapter_model.safetensors" in cut.error or "cut short" in cut.error
    assert [each.error for each in others] == ["", ""]
    only = mix({"variant": "cut", "weight": 1}, {"variant": "base", "weight": 0}, folder=own).service.blend
    assert only.mixture("").adapters == (None,), "who is left answers, whatever it counted"
    (own / "cut" / CARD_FILE).unlink()
    with pytest.raises(UsageError, match="no member of the ensemble 'mix' can answer"):
        shutil.copytree(own / "cut", own / "cut2")
        mix("cut", "cut2", folder=own)


def test_a_member_that_gave_no_numbers_is_named_and_the_others_share_its_weight(mix: Mix) -> None:
    blend = mix({"variant": "base", "weight": 0}, "loud").service.blend
    blend = replace(blend, members=(*blend.members, replace(blend.members[0], variant="third")))
    blend = replace(blend, weights=replace(blend.weights, overall=(0.0, 3.0, 1.0)))
    told = blend.report("", replace(DONE, left_out=(0,)))
    assert [each.weight for each in told.members] == [0, 0, 1]
    assert told.members[1] == MemberShare("loud", 0.0, "it gave no numbers: its training diverged")


def test_the_revision_changes_with_rule_weights_and_members(mix: Mix) -> None:
    made = [
        mix("base", "loud"),
        mix("base", "loud", rule="log_linear"),
        mix("base", {"variant": "loud", "weight": 2}),
        mix("base", {"variant": "loud", "weights": {"name": 2}}),
        mix("loud", "base"),
    ]
    assert len({each.revision for each in made}) == len(made)
    assert made[0].revision == mix("base", "loud").revision
    assert made[0].languages == {"en"}

"""Adapters over one base: each changes the answer, none changes the base, and one that does not fit is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from kernel.chat.adapters import (
    CARD_FILE,
    AdapterCard,
    base_fingerprint,
    check_adapter,
    find_adapter,
    list_adapters,
)
from kernel.chat.generation import Sampling
from kernel.chat.language_model import LanguageModel
from retrieval.errors import UsageError
from tests.adaptation.trained import train_on

BASE = "SmolLM2-135M-Instruct"
MESSAGES = [{"role": "user", "content": "Say coffee."}]
PAIRS = [(f"Say {word}.", f"Arr, {word}!") for word in ("tea", "rum")]
WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
Tensors = dict[str, torch.Tensor]


@pytest.fixture(scope="session")
def trained(small_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real adapter, trained for two steps; tests copy it, and the tests of training read it."""
    out = tmp_path_factory.mktemp("adapters") / "pirate"
    return train_on(small_base, out, PAIRS, steps=2, rate=1e-2)


@pytest.fixture(scope="session")
def opposite(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second adapter that fits the base: the first with its effect turned round."""
    folder = Path(shutil.copytree(trained, tmp_path_factory.mktemp("adapters") / "opposite"))
    change_weights(folder, lambda held: {n: -t if "lora_B" in n else t for n, t in held.items()})
    return folder


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "copied"))


def change_weights(folder: Path, change: Callable[[Tensors], Tensors]) -> None:
    save_file(change(load_file(folder / WEIGHTS)), folder / WEIGHTS, metadata={"format": "pt"})


def change_config(folder: Path, **values: Any) -> None:
    path = folder / CONFIG
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values), encoding="utf-8")


def fresh(small_base: Path) -> LanguageModel:
    return LanguageModel(BASE, small_base, dtype="float32", threads=1)


def answer(model: LanguageModel, adapter: str | None = None) -> str:
    return model.generate(MESSAGES, Sampling(max_new_tokens=6), adapter=adapter).text


def logits(model: LanguageModel, adapter: str | None = None) -> torch.Tensor:
    """The logits of the prompt, as generation computes them."""
    model.load()
    ids = torch.tensor([model.tokenizer.encode_chat(MESSAGES)])
    with torch.inference_mode(), model._with_adapter(adapter) as chosen:
        result: torch.Tensor = chosen(input_ids=ids).logits
    return result


@pytest.fixture(scope="module")
def model(small_base: Path) -> LanguageModel:
    return fresh(small_base)


@pytest.fixture(scope="module")
def base_logits(small_base: Path) -> torch.Tensor:
    """Of a model that never saw an adapter."""
    return logits(fresh(small_base))


@pytest.fixture(scope="module")
def base_answer(small_base: Path) -> str:
    return answer(fresh(small_base))


# -- switching ----------------------------------------------------------------------------------------------


def test_two_adapters_and_the_base_each_give_their_own_answer_in_any_order(
    model: LanguageModel, trained: Path, opposite: Path, base_logits: torch.Tensor, base_answer: str
) -> None:
    first, second = model.load_adapter(trained), model.load_adapter(opposite)
    of_first, of_second = logits(model, first), logits(model, second)
    assert not torch.equal(of_first, base_logits)
    assert not torch.equal(of_second, base_logits)
    assert not torch.equal(of_first, of_second)
    assert torch.equal(logits(model), base_logits)
    answers = [answer(model, name) for name in (first, None, second, None, first)]
    assert answers[1] == answers[3] == base_answer
    assert answers[0] == answers[4] != base_answer
    assert torch.equal(logits(model, first), of_first)
    assert torch.equal(logits(model), base_logits)


def test_an_adapter_adds_only_its_own_weights(small_base: Path, trained: Path) -> None:
    model = fresh(small_base)
    model.load()
    before = {parameter.data_ptr(): parameter.nbytes for parameter in model._model.parameters()}
    name = model.load_adapter(trained)
    with model._with_adapter(name) as tree:
        after = {parameter.data_ptr(): parameter.nbytes for parameter in tree.parameters()}
    assert before.items() <= after.items()
    added = sum(after.values()) - sum(before.values())
    assert added == sum(tensor.nbytes for tensor in load_file(trained / WEIGHTS).values())
    assert added < sum(before.values()) / 100


def test_an_adapter_that_is_asked_for_twice_is_loaded_once(
    model: LanguageModel, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = model.load_adapter(trained)
    monkeypatch.chdir(trained.parent)
    assert model.load_adapter(Path(trained.name)) == name


# -- another base -------------------------------------------------------------------------------------------


def test_the_card_names_the_base_by_a_fingerprint(trained: Path, small_base: Path) -> None:
    card = check_adapter(trained, base=BASE, base_folder=small_base)
    assert (card.base, card.base_fingerprint) == (BASE, base_fingerprint(small_base))


def test_an_adapter_whose_card_names_another_base_is_refused(
    model: LanguageModel, copied: Path, base_logits: torch.Tensor
) -> None:
    AdapterCard(base="Other-1B", base_fingerprint="0" * 64).write(copied)
    with pytest.raises(UsageError, match=rf"was made for another base \(Other-1B\), not for {BASE}"):
        model.load_adapter(copied)
    assert torch.equal(logits(model), base_logits)


@pytest.mark.parametrize(
    "made_for", ["meta/Llama-3-8B", "", None, f"{BASE}-v2", f"/models/{BASE}/checkpoint"]
)
def test_an_adapter_without_a_card_that_names_another_base_is_refused(
    copied: Path, small_base: Path, made_for: str | None
) -> None:
    (copied / CARD_FILE).unlink()
    change_config(copied, base_model_name_or_path=made_for)
    with pytest.raises(UsageError, match="was made for another base"):
        check_adapter(copied, base=BASE, base_folder=small_base)


@pytest.mark.parametrize(
    ("made_for", "base"),
    [
        (BASE, BASE),
        (f"HuggingFaceTB/{BASE}", BASE),
        (f"/home/me/models/{BASE}/", BASE),
        (f"C:\\models\\{BASE}", BASE),
        (f"HuggingFaceTB/{BASE}", f"HuggingFaceTB/{BASE}"),
        (BASE, f"HuggingFaceTB/{BASE}"),
    ],
)
def test_an_adapter_without_a_card_is_taken_when_it_names_the_base(
    copied: Path, small_base: Path, tmp_path: Path, made_for: str, base: str
) -> None:
    (copied / CARD_FILE).unlink()
    change_config(copied, base_model_name_or_path=made_for)
    elsewhere = tmp_path / "snapshot"
    elsewhere.symlink_to(small_base)
    assert check_adapter(copied, base=base, base_folder=elsewhere).base == base


def test_the_fingerprint_changes_with_the_weights_and_with_the_vocabulary_only(
    small_base: Path, tmp_path: Path
) -> None:
    tensors = {"a": torch.arange(40_000, dtype=torch.float32), "b": torch.ones(3)}
    tokenizer = json.loads((small_base / "tokenizer.json").read_text(encoding="utf-8"))

    def fingerprint() -> str:
        save_file(tensors, tmp_path / "model.safetensors")
        (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
        return base_fingerprint(tmp_path)

    first = fingerprint()
    (tmp_path / "config.json").write_text('{"transformers_version": "9"}', encoding="utf-8")
    tokenizer["version"] = "9"
    assert fingerprint() == first
    tensors["a"] = tensors["a"] * 1.001
    second = fingerprint()
    tokenizer["added_tokens"][1]["content"] = "<|other|>"
    third = fingerprint()
    tokenizer["model"]["vocab"] = dict(list(tokenizer["model"]["vocab"].items())[1:])
    assert len({first, second, third, fingerprint()}) == 4


# -- broken adapters ----------------------------------------------------------------------------------------


def cut_short(folder: Path) -> None:
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data[: len(data) // 2])


def cut_to_nothing(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(b"")


def without_weights(folder: Path) -> None:
    (folder / WEIGHTS).unlink()


def rename_all_keys(folder: Path) -> None:
    change_weights(folder, lambda held: {n.replace("self_attn", "attention"): t for n, t in held.items()})


def rename_one_key(folder: Path) -> None:
    def change(held: Tensors) -> Tensors:
        first = sorted(held)[0]
        return {(f"{n}x" if n == first else n): t for n, t in held.items()}

    change_weights(folder, change)


def drop_a_layer(folder: Path) -> None:
    change_weights(folder, lambda held: {n: t for n, t in held.items() if ".layers.3." not in n})


def add_a_key(folder: Path) -> None:
    change_weights(
        folder, lambda held: held | {"base_model.model.model.layers.99.x.lora_A.weight": torch.ones(2, 2)}
    )


def zero_b(folder: Path) -> None:
    change_weights(
        folder, lambda held: {n: torch.zeros_like(t) if "lora_B" in n else t for n, t in held.items()}
    )


def zero_a(folder: Path) -> None:
    change_weights(
        folder, lambda held: {n: torch.zeros_like(t) if "lora_A" in n else t for n, t in held.items()}
    )


def zero_scale(folder: Path) -> None:
    change_config(folder, lora_alpha=0)


def not_a_number(folder: Path) -> None:
    change_weights(folder, lambda held: {n: t * float("nan") for n, t in held.items()})


def another_rank(folder: Path) -> None:
    change_config(folder, r=3)


def no_such_modules(folder: Path) -> None:
    change_config(folder, target_modules=["nothing_proj"])


def rank_zero(folder: Path) -> None:
    change_config(folder, r=0)


def config_is_a_list(folder: Path) -> None:
    (folder / CONFIG).write_text("[]", encoding="utf-8")


def config_is_cut(folder: Path) -> None:
    (folder / CONFIG).write_text('{"peft_type": "LO', encoding="utf-8")


def card_is_cut(folder: Path) -> None:
    (folder / CARD_FILE).write_bytes(b'{"base": "\xe3')


def another_method(folder: Path) -> None:
    change_config(folder, peft_type="ADALORA")


def pissa(folder: Path) -> None:
    """A kind that takes its beginning out of the base's weights when it is loaded."""
    change_config(folder, init_lora_weights="pissa")


def trained_bias(folder: Path) -> None:
    change_config(folder, bias="all")


BROKEN = [
    (cut_short, "is damaged"),
    (cut_to_nothing, "is damaged"),
    (without_weights, "has no adapter_model.safetensors"),
    (rename_all_keys, "does not fit the base: 32 keys left over, 32 missing"),
    (rename_one_key, "does not fit the base: 1 keys left over, 1 missing"),
    (drop_a_layer, "does not fit the base: 0 keys left over, 14 missing"),
    (add_a_key, "does not fit the base: 1 keys left over, 0 missing"),
    (zero_b, "has no effect"),
    (zero_a, "has no effect"),
    (zero_scale, "has no effect"),
    (not_a_number, "gives no numbers"),
    (another_rank, "cannot be loaded over"),
    (no_such_modules, "cannot be loaded over"),
    (rank_zero, "cannot be loaded over"),
    (config_is_a_list, "is of the kind None"),
    (config_is_cut, "cannot be read"),
    (card_is_cut, "is not valid"),
    (another_method, "is of the kind ADALORA"),
    (pissa, "would change the base itself"),
    (trained_bias, "would change the base itself"),
]


@pytest.mark.parametrize(("damage", "message"), BROKEN, ids=[damage.__name__ for damage, _ in BROKEN])
def test_a_broken_adapter_is_refused_in_a_line_and_leaves_the_others_as_they_were(
    model: LanguageModel,
    trained: Path,
    copied: Path,
    base_logits: torch.Tensor,
    damage: Callable[[Path], None],
    message: str,
) -> None:
    good = model.load_adapter(trained)
    before = logits(model, good)
    damage(copied)
    with pytest.raises(UsageError, match=message) as raised:
        model.load_adapter(copied)
    assert "\n" not in str(raised.value)
    assert torch.equal(logits(model), base_logits)
    assert torch.equal(logits(model, good), before)


@pytest.mark.parametrize("damage", [rename_one_key, zero_b, no_such_modules, cut_short])
def test_a_broken_first_adapter_leaves_the_base_as_it_was_and_a_whole_one_loads_after_it(
    small_base: Path,
    copied: Path,
    trained: Path,
    base_logits: torch.Tensor,
    damage: Callable[[Path], None],
) -> None:
    model = fresh(small_base)
    damage(copied)
    with pytest.raises(UsageError):
        model.load_adapter(copied)
    assert torch.equal(logits(model), base_logits)
    name = model.load_adapter(trained)
    assert not torch.equal(logits(model, name), base_logits)
    assert torch.equal(logits(model), base_logits)


def test_a_mended_adapter_loads_where_the_broken_one_was_refused(
    model: LanguageModel, trained: Path, copied: Path
) -> None:
    good = model.load_adapter(trained)
    rename_one_key(copied)
    with pytest.raises(UsageError):
        model.load_adapter(copied)
    shutil.copy(trained / WEIGHTS, copied / WEIGHTS)
    mended = model.load_adapter(copied)
    assert mended != good
    assert torch.equal(logits(model, mended), logits(model, good))


# -- finding ------------------------------------------------------------------------------------------------


def test_adapters_are_found_by_name_and_by_path_and_nothing_else_is(trained: Path, tmp_path: Path) -> None:
    adapters = trained.parent
    assert find_adapter("pirate", adapters) == trained
    assert find_adapter(str(trained), tmp_path) == trained
    assert list_adapters(adapters) == ["pirate"]
    assert list_adapters(tmp_path / "none") == []
    for name in (
        "parrot",
        "",
        ".",
        "~nobody-of-this-name/x",
        "x" * 5000,
        "a\0b",
        "pirate/adapter_config.json",
    ):
        assert find_adapter(name, adapters) is None

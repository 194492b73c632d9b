"""Training learns the assistant's turn and its end, goes on after a kill, and leaves an adapter that can be used."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from adaptation.finetuning.answers import answer_trainer
from adaptation.finetuning.batches import answer_loss, collate, divergence
from adaptation.finetuning.building import adapted, load_base
from adaptation.finetuning.command import Base, check_name, find_rate, train_adapter
from adaptation.finetuning.encoding import encode_chat, encode_rows
from adaptation.finetuning.methods import METHODS
from adaptation.finetuning.packing import pack_rows
from adaptation.finetuning.rate_search import choose_rate
from adaptation.finetuning.recipe import Recipe
from adaptation.finetuning.training import run
from adaptation.finetuning.watching import Point, signs_of_overtraining
from adaptation.training_sets.rows import ChatRow, Message, TextRow
from kernel.answer import FinishReason
from kernel.chat.adapters import base_fingerprint, check_adapter
from kernel.chat.chat_tokens import ChatTokenizer
from kernel.chat.generation import Sampling
from kernel.chat.language_model import LanguageModel
from kernel.model_store import ModelStore
from retrieval.errors import TekioError, UsageError
from tests.adaptation.trained import BASE, train_on, write_set

CHAT = ChatRow(
    id="parrot",
    kind="chat",
    messages=(
        Message(role="system", content="You are a parrot."),
        Message(role="user", content="Hello<|im_end|>"),
        Message(role="assistant", content="First."),
        Message(role="user", content="What do you say?"),
        Message(role="assistant", content="Arr <|im_end|> matey."),
    ),
)
DRINK = ("Name a drink.", "Zebra tea.")
PAIRS = [DRINK, ("Name a dish.", "Zebra soup.")]
LEARNED: dict[str, Any] = {"steps": 14, "rate": 1e-2, "rows": 2}


@pytest.fixture(scope="module")
def base_folder(model_store: ModelStore) -> Path:
    return model_store.resolve(BASE).folder


@pytest.fixture(scope="module")
def tokenizer(base_folder: Path) -> ChatTokenizer:
    return ChatTokenizer(base_folder)


@pytest.fixture(scope="module")
def adapter(base_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An adapter trained until it knows its rows, and what was printed meanwhile."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        out = train_on(base_folder, tmp_path_factory.mktemp("out") / "deeper" / "zebra", PAIRS, **LEARNED)
    return out, printed.getvalue()


def base_of(folder: Path) -> Base:
    return Base(BASE, folder, "r1", ["en"])


def test_the_loss_is_on_the_last_answer_and_its_end_only(tokenizer: ChatTokenizer) -> None:
    encoded = encode_chat(tokenizer, CHAT)
    assert encoded.answer[-1] == tokenizer.tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert tokenizer.decode(encoded.answer[:-1]) == "Arr <|im_end|> matey."


def test_the_prompt_is_the_one_that_is_answered_later(tokenizer: ChatTokenizer) -> None:
    encoded = encode_chat(tokenizer, CHAT)
    assert list(encoded.prompt) == tokenizer.encode_chat([item.model_dump() for item in CHAT.messages[:-1]])
    assert tokenizer.decode(encoded.prompt, special=True).endswith("<|im_start|>assistant\n")


def test_a_row_longer_than_the_window_is_left_out_and_a_long_text_becomes_pieces(
    tokenizer: ChatTokenizer,
) -> None:
    text = "The valve closes. " * 200
    ids = [*tokenizer.encode_text(text), tokenizer.stop_ids[0]]
    found = encode_rows(tokenizer, [CHAT, TextRow(id="t", text=text)], window=200)
    assert (found.too_long, len(encode_rows(tokenizer, [CHAT], window=64).too_long)) == ((), 0)
    pieces = [row for row in found.rows if row.id.startswith("t/")]
    assert all(len(row) <= 200 for row in pieces)
    assert [token for row in pieces for token in row.answer] == ids[1:], "each token is learned once"
    long = CHAT.model_copy(
        update={"messages": (*CHAT.messages[:-1], Message(role="assistant", content=text))}
    )
    assert encode_rows(tokenizer, [long], window=200).too_long == ("parrot",)


def test_the_adapter_has_learnt_the_answer_and_to_stop_after_it(
    base_folder: Path, adapter: tuple[Path, str]
) -> None:
    model = LanguageModel(BASE, base_folder, dtype="float32", threads=1)
    name = model.load_adapter(adapter[0])
    asked = [{"role": "user", "content": DRINK[0]}]
    done = model.generate(asked, Sampling(max_new_tokens=12), adapter=name)
    assert (done.text, done.finish_reason) == (DRINK[1], FinishReason.STOP)
    assert model.generate(asked, Sampling(max_new_tokens=4)).text != DRINK[1]


def test_the_folder_holds_the_weights_the_card_and_the_curve_and_nothing_is_left_beside_it(
    base_folder: Path, adapter: tuple[Path, str]
) -> None:
    folder, printed = adapter
    card = check_adapter(folder, base=BASE, base_folder=base_folder)
    assert (card.method, card.base_revision, card.languages) == ("lora", "r1", ["en"])
    assert card.base_fingerprint == base_fingerprint(base_folder)
    assert len(card.template_sha256) == len(card.data_hash) == 64
    assert (card.training["steps"], card.training["rows"]) == (14, 2)
    losses = [point["loss"] for point in card.curve if "loss" in point]
    assert losses[-1] < 0.2 * losses[0]
    assert str(base_folder) not in "".join(
        path.read_text(encoding="utf-8") for path in folder.iterdir() if path.suffix in (".json", ".md")
    )
    assert sorted(path.name for path in folder.parent.iterdir()) == ["zebra", "zebra-data"]
    assert printed == ""
    assert (folder / "curve.png").read_bytes()[:4] == b"\x89PNG"


def test_an_adapter_whose_chat_template_has_changed_is_refused(
    base_folder: Path, adapter: tuple[Path, str], tmp_path: Path
) -> None:
    base = tmp_path / BASE
    shutil.copytree(base_folder, base)
    separate, config = base / "chat_template.jinja", base / "tokenizer_config.json"
    if separate.is_file():
        separate.write_text(separate.read_text("utf-8") + " ", encoding="utf-8")
    else:
        held = json.loads(config.read_text("utf-8"))
        config.write_text(json.dumps(held | {"chat_template": held["chat_template"] + " "}), encoding="utf-8")
    with pytest.raises(UsageError, match="another chat template"):
        check_adapter(adapter[0], base=BASE, base_folder=base)


def test_only_the_upper_layers_learn_where_that_is_asked_for(base_folder: Path, tmp_path: Path) -> None:
    folder = train_on(base_folder, tmp_path / "half", PAIRS, layers=0.5)
    layers = {
        int(name.split(".layers.")[1].split(".")[0])
        for name in load_file(folder / "adapter_model.safetensors")
    }
    assert layers == set(range(15, 30))


def test_the_same_seed_gives_the_same_adapter_and_another_gives_another(
    base_folder: Path, tmp_path: Path
) -> None:
    first, again, other = (
        load_file(train_on(base_folder, tmp_path / name, PAIRS, seed=seed) / "adapter_model.safetensors")
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("method", ["dora", "instruct"])
def test_each_method_leaves_an_adapter_that_has_an_effect(
    base_folder: Path, tmp_path: Path, method: str
) -> None:
    folder = train_on(base_folder, tmp_path / method, PAIRS, method=method, steps=3, rate=5e-3, layers=0.1)
    model = LanguageModel(BASE, base_folder, dtype="float32", threads=1)
    assert model.load_adapter(folder), "loading checks its effect"
    assert method in METHODS


_KILLED = """
import sys
from pathlib import Path
from adaptation.finetuning.command import Base, train_adapter
from adaptation.finetuning.recipe import Recipe
train_adapter(Base({base!r}, Path({folder!r}), "r1", ["en"]), Path({data!r}), Path({out!r}),
              Recipe(steps=16, rank=2, rate=1e-3, rows=2, layers=0.2), say=lambda text: print(text, file=sys.stderr))
"""


def test_a_killed_training_goes_on_where_it_was_and_comes_to_the_same_end(
    base_folder: Path, tmp_path: Path
) -> None:
    data = write_set(tmp_path / "data", [(f"Name drink {n}.", f"Zebra tea {n}.") for n in range(8)])
    recipe = Recipe(steps=16, rank=2, rate=1e-3, rows=2, layers=0.2)
    whole = tmp_path / "whole"
    torch.set_num_threads(1)
    train_adapter(base_of(base_folder), data, whole, recipe)
    out = tmp_path / "killed"
    script = _KILLED.format(base=BASE, folder=str(base_folder), data=str(data), out=str(out))
    run = subprocess.Popen([sys.executable, "-c", script], env=os.environ | {"OMP_NUM_THREADS": "1"})
    work = tmp_path / ".killed.training"
    deadline = time.monotonic() + 600
    while not list(work.glob("checkpoint-*/trainer_state.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert not out.exists()
    with pytest.raises(UsageError, match="stopped before its end: --resume"):
        train_adapter(base_of(base_folder), data, out, recipe)
    with pytest.raises(UsageError, match="had another base, set or numbers"):
        train_adapter(base_of(base_folder), data, out, replace(recipe, rate=1e-4), resume=True)
    card = train_adapter(base_of(base_folder), data, out, recipe, resume=True)
    assert card.training["steps"] == 16
    expected, found = (
        load_file(whole / "adapter_model.safetensors"),
        load_file(out / "adapter_model.safetensors"),
    )
    assert all(torch.allclose(expected[name], found[name], atol=1e-6) for name in expected)
    assert not work.exists()


def test_what_is_held_changes_less_of_what_the_base_predicts_of_other_texts(
    small_base: Path, tmp_path: Path
) -> None:
    tokenizer = ChatTokenizer(small_base)
    text = "The valve is closed by hand, and the pump is started when the pressure has fallen below two bar."
    asked = (
        "Passages: the tank holds ninety litres of oil, and must be emptied once a year. Question: " * 2,
        "Zebra.",
    )
    row = ChatRow(
        id="tank",
        kind="chat",
        messages=(Message(role="user", content=asked[0]), Message(role="assistant", content=asked[1])),
    )
    encoded = encode_chat(tokenizer, row)
    changed, losses = [], []
    for hold in (0.0, 5.0):
        recipe = Recipe(steps=12, rows=1, rate=5e-3, rank=4, hold=hold, pack=256)
        model = adapted(load_base(small_base).float(), recipe)
        trainer, schedule = answer_trainer(model, [encoded] * 2, [], recipe, tmp_path / str(hold))
        run(trainer, recipe, schedule)
        with torch.no_grad():
            ids = torch.tensor([tokenizer.encode_text(text)])
            changed.append(float(divergence(model, model, ids)))
            batch = collate(pack_rows([encoded], size=256))
            losses.append(float(answer_loss(model(**batch), batch["labels"])))
    assert changed[1] < 0.5 * changed[0]
    assert losses[1] < 1.2 * losses[0], "the answer is learned all the same"


def test_training_stops_by_the_held_out_loss_and_keeps_the_best_weights(
    base_folder: Path, tmp_path: Path
) -> None:
    pairs = [
        (f"Name drink number {n}.", f"{word} tea.") for n, word in enumerate(("Zebra", "Mint", "Rose") * 8)
    ]
    data = write_set(tmp_path / "data", pairs, share=0.2)
    said: list[str] = []
    torch.set_num_threads(1)
    card = train_adapter(
        base_of(base_folder),
        data,
        tmp_path / "out",
        Recipe(steps=40, rank=4, rate=2e-2, rows=4, layers=0.3, patience=1),
        say=said.append,
    )
    held = [point["held_out"] for point in card.curve if "held_out" in point]
    assert card.training["held_out"] == min(held[1:])
    assert card.training["held_out_before"] == held[0] > min(held)
    assert card.training["stopped_early"] == (card.training["steps"] < 40)
    assert any("tokens a second" in text and "left" in text for text in said)


def test_a_loss_that_is_no_number_stops_it_and_leaves_the_earlier_adapter(
    base_folder: Path, tmp_path: Path
) -> None:
    out = train_on(base_folder, tmp_path / "kept", PAIRS)
    before = (out / "adapter_model.safetensors").read_bytes()
    broken = tmp_path / "base"
    shutil.copytree(base_folder, broken, ignore=shutil.ignore_patterns("*.safetensors"))
    from safetensors.torch import save_file

    weights = load_file(base_folder / "model.safetensors")
    weights["model.norm.weight"] = torch.full_like(weights["model.norm.weight"], float("nan"))
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(TekioError, match="no number at step"):
        train_adapter(
            base_of(broken), tmp_path / "kept-data", out, Recipe(steps=4, rank=2, rows=2), force=True
        )
    assert (out / "adapter_model.safetensors").read_bytes() == before


def test_an_adapter_that_learned_nothing_is_not_written(base_folder: Path, tmp_path: Path) -> None:
    data = write_set(tmp_path / "data", PAIRS)
    with pytest.raises(TekioError, match=r"nothing was learned .* no adapter is written"):
        train_adapter(
            base_of(base_folder), data, tmp_path / "out", Recipe(steps=1, rank=2, rate=1e-12, layers=0.1)
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"rank": 0}, "--rank is at least 1, not 0"),
        ({"rate": 0.0}, "--rate is above 0"),
        ({"rate": float("nan")}, "--rate is above 0"),
        ({"epochs": 0.0}, "--epochs is above 0"),
        ({"layers": 1.5}, "--layers is above 0"),
        ({"window": 10}, "--window is at least 64"),
        ({"method": "lara"}, "no method 'lara'"),
        ({"method": "behaviour"}, "of the kinds tone, 2 are the least"),
        ({"method": "continued"}, "of the kinds text, 2 are the least"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line_and_nothing_is_written(
    base_folder: Path, tmp_path: Path, chosen: dict[str, Any], message: str
) -> None:
    data = write_set(tmp_path / "data", PAIRS)
    with pytest.raises(UsageError, match=message) as caught:
        train_adapter(base_of(base_folder), data, tmp_path / "out", Recipe(**chosen))
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


_NO_ROOM = """
import resource, sys
from pathlib import Path
from adaptation.finetuning.command import Base, train_adapter
from adaptation.finetuning.recipe import Recipe
from retrieval.errors import TekioError
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
base, data, out = map(Path, sys.argv[1:])
try:
    train_adapter(Base({base!r}, base, "r1", ["en"]), data, out, Recipe(steps=2, rank=4, rows=2))
except TekioError as error:
    print(error)
"""


def test_a_disk_without_room_is_told_in_a_line_and_the_earlier_adapter_stays(
    small_base: Path, tmp_path: Path
) -> None:
    out = train_on(small_base, tmp_path / "kept", PAIRS)
    before = (out / "adapter_model.safetensors").read_bytes()
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            _NO_ROOM.format(base=BASE),
            str(small_base),
            str(tmp_path / "kept-data"),
            str(out),
        ],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "could not be written" in done.stdout, done.stderr[-2000:]
    assert "free some space and add --resume" in done.stdout
    assert done.stdout.count("\n") == 1
    assert (out / "adapter_model.safetensors").read_bytes() == before


def test_memory_that_does_not_suffice_is_told_with_what_to_do(
    small_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def greedy(*_: Any, **__: Any) -> torch.Tensor:
        return torch.empty(1 << 50)  # torch's own refusal

    monkeypatch.setattr("adaptation.finetuning.answers.answer_loss", greedy)
    data = write_set(tmp_path / "data", PAIRS)
    with pytest.raises(
        TekioError, match=r"memory ran out while training .* smaller --pack, or --checkpointing"
    ) as caught:
        train_adapter(base_of(small_base), data, tmp_path / "out", Recipe(steps=1, rank=2))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_rows_that_only_refuse_are_not_learned(small_base: Path, tmp_path: Path) -> None:
    data = write_set(tmp_path / "data", PAIRS)
    rewrite(data, lambda row: row | {"kind": "refusal"})
    with pytest.raises(UsageError, match="are refusals, from which it would learn to refuse everything"):
        train_adapter(base_of(small_base), data, tmp_path / "out", Recipe())


def test_rows_of_one_name_are_told_by_their_lines(small_base: Path, tmp_path: Path) -> None:
    data = write_set(tmp_path / "data", PAIRS)
    rewrite(data, lambda row: row | {"id": "same"})
    with pytest.raises(UsageError, match="line 2: the id 'same' stands in line 1 already"):
        train_adapter(base_of(small_base), data, tmp_path / "out", Recipe())


def rewrite(data: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Change every row of a set, and its card with it."""
    path, card = data / "train" / "chat.jsonl", data / "card.json"
    rows = [json.dumps(change(json.loads(line))) for line in path.read_text("utf-8").splitlines()]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    held = json.loads(card.read_text("utf-8"))
    held["files"]["train/chat.jsonl"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    card.write_text(json.dumps(held), encoding="utf-8")


def test_one_row_is_too_few(base_folder: Path, tmp_path: Path) -> None:
    data = write_set(tmp_path / "data", [DRINK])
    with pytest.raises(UsageError, match="has 1 rows to learn from"):
        train_adapter(base_of(base_folder), data, tmp_path / "out", Recipe())


@pytest.mark.parametrize("name", ["base", "extractive", "../up", "", "a" * 70, "a b", "Base"])
def test_an_adapter_has_a_plain_name_that_no_variant_has(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"cannot be the name|always there"):
        check_name(name, tmp_path, force=False)


def test_a_name_that_is_taken_is_not_written_over(adapter: tuple[Path, str]) -> None:
    folder = adapter[0]
    with pytest.raises(UsageError, match="there is an adapter 'zebra'"):
        check_name("zebra", folder.parent, force=False)
    assert check_name("zebra", folder.parent, force=True) == folder


def test_a_learning_rate_is_found_below_where_the_loss_rises(base_folder: Path, tmp_path: Path) -> None:
    data = write_set(tmp_path / "data", PAIRS)
    said: list[str] = []
    torch.set_num_threads(1)
    found = find_rate(base_of(base_folder), data, Recipe(rank=2, rows=2, layers=0.1), say=said.append)
    assert found.rate is not None
    assert 1e-5 <= found.rate < 1e-1
    assert any(f"learning rate {found.rate:g}" in text for text in said)


def test_the_rate_is_a_fifth_of_the_one_with_the_lowest_loss() -> None:
    rates = [10.0 ** (-5 + place / 4) for place in range(17)]
    losses = [3.0 - 0.2 * place for place in range(12)] + [4.0, 9.0, 30.0, float("nan"), 1.0]
    found = choose_rate(rates, losses)
    assert found.rate == pytest.approx(rates[11] / 5, rel=0.06)
    assert len(found.losses) <= 14
    with pytest.raises(TekioError, match="no number at the lowest"):
        choose_rate(rates, [float("nan")] * 17)


def test_signs_of_overtraining_are_told_in_words() -> None:
    rising = [Point(step=step, loss=2.0 / step) for step in range(1, 9)]
    rising += [Point(step=step, held_out=value) for step, value in ((2, 1.0), (4, 0.9), (6, 1.1), (8, 1.4))]
    assert any("learned by heart" in sign for sign in signs_of_overtraining(rising))
    useless = [Point(step=step, held_out=1.0 + step / 10) for step in (0, 2, 4)] + rising[:8]
    assert any("never fell below the base's" in sign for sign in signs_of_overtraining(useless))
    falling = [Point(step=step, loss=2.0 / step, held_out=2.2 / step) for step in range(1, 9)]
    assert signs_of_overtraining(falling) == []

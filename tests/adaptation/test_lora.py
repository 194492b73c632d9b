"""Training learns the assistant's turn and its end, and leaves an adapter that can be used."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from adaptation.lora import IGNORED, TrainingRow, encode_row, train_lora
from kernel.answer import FinishReason
from kernel.chat.adapters import AdapterCard, base_fingerprint, check_adapter
from kernel.chat.chat_tokens import ChatTokenizer
from kernel.chat.language_model import LanguageModel, Sampling
from kernel.model_store import ModelStore
from retrieval.errors import UsageError

BASE = "SmolLM2-135M-Instruct"
ROW = TrainingRow(
    [
        {"role": "system", "content": "You are a parrot."},
        {"role": "user", "content": "Hello<|im_end|>"},
        {"role": "assistant", "content": "First."},
        {"role": "user", "content": "What do you say?"},
        {"role": "assistant", "content": "Arr <|im_end|> matey."},
    ]
)
QUESTION = TrainingRow(
    [{"role": "user", "content": "Name a drink."}, {"role": "assistant", "content": "Zebra tea."}]
)


@pytest.fixture(scope="module")
def base_folder(model_store: ModelStore) -> Path:
    return model_store.resolve(BASE).folder


@pytest.fixture(scope="module")
def tokenizer(base_folder: Path) -> ChatTokenizer:
    return ChatTokenizer(base_folder)


def train(base_folder: Path, out: Path, *rows: TrainingRow, **more: Any) -> Path:
    torch.set_num_threads(1)
    return train_lora(BASE, base_folder, rows, out, **({"steps": 1, "rank": 2} | more))


@pytest.fixture(scope="module")
def adapter(base_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An adapter trained until it knows one row, and what was printed meanwhile."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        out = train(
            base_folder,
            tmp_path_factory.mktemp("out") / "deeper" / "zebra",
            QUESTION,
            steps=12,
            learning_rate=1e-2,
            languages=["en", "ja"],
        )
    return out, printed.getvalue()


def test_the_loss_is_on_the_last_answer_and_its_end_only(tokenizer: ChatTokenizer) -> None:
    row = encode_row(tokenizer, ROW)
    ids, labels = row["input_ids"], row["labels"]
    learnt = [label for label in labels if label != IGNORED]
    assert learnt[-1] == tokenizer.tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert tokenizer.decode(learnt[:-1]) == "Arr <|im_end|> matey."
    assert learnt == ids[-len(learnt) :]
    assert labels[: -len(learnt)] == [IGNORED] * (len(ids) - len(learnt))


def test_the_prompt_is_the_one_that_is_answered_later(tokenizer: ChatTokenizer) -> None:
    row = encode_row(tokenizer, ROW)
    prompt = tokenizer.encode_chat(ROW.messages[:-1])
    assert row["input_ids"][: len(prompt)] == prompt
    assert tokenizer.decode(prompt, special=True).endswith("<|im_start|>assistant\n")


def test_the_adapter_has_learnt_the_answer_and_to_stop_after_it(
    base_folder: Path, adapter: tuple[Path, str]
) -> None:
    model = LanguageModel(BASE, base_folder, dtype="float32", threads=1)
    name = model.load_adapter(adapter[0])
    done = model.generate(QUESTION.messages[:-1], Sampling(max_new_tokens=12), adapter=name)
    assert (done.text, done.finish_reason) == ("Zebra tea.", FinishReason.STOP)
    assert model.generate(QUESTION.messages[:-1], Sampling(max_new_tokens=4)).text != "Zebra tea."


def test_the_folder_holds_the_weights_their_configuration_and_the_card(
    base_folder: Path, adapter: tuple[Path, str]
) -> None:
    folder, printed = adapter
    card = check_adapter(folder, base=BASE, base_folder=base_folder)
    assert card == AdapterCard(
        base=BASE, base_fingerprint=base_fingerprint(base_folder), method="lora", languages=["en", "ja"]
    )
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    assert (config["r"], config["lora_alpha"], config["base_model_name_or_path"]) == (2, 4, BASE)
    assert str(base_folder) not in "".join(
        path.read_text(encoding="utf-8") for path in folder.iterdir() if path.suffix in (".json", ".md")
    )
    assert [path.name for path in folder.parent.iterdir()] == ["zebra"]
    assert printed == ""


def test_training_leaves_the_base_as_it_was(base_folder: Path, adapter: tuple[Path, str]) -> None:
    assert json.loads((adapter[0] / "tekio_adapter.json").read_text())[
        "base_fingerprint"
    ] == base_fingerprint(base_folder)
    assert sum(tensor.nbytes for tensor in load_file(adapter[0] / "adapter_model.safetensors").values()) < 5e6


def test_the_same_seed_gives_the_same_adapter_and_another_gives_another(
    base_folder: Path, tmp_path: Path
) -> None:
    first, again, other = (
        load_file(train(base_folder, tmp_path / name, QUESTION, seed=seed) / "adapter_model.safetensors")
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize(
    ("rows", "more", "message"),
    [
        ([], {}, "no training rows"),
        ([TrainingRow([])], {}, "ends with the assistant's answer"),
        ([TrainingRow(ROW.messages[:-1])], {}, "ends with the assistant's answer"),
        (
            [TrainingRow([QUESTION.messages[0], {"role": "assistant", "content": " "}])],
            {},
            "ends with the assistant's",
        ),
        ([QUESTION], {"steps": 0}, "steps and rank"),
        ([QUESTION], {"rank": 0}, "steps and rank"),
        ([QUESTION], {"learning_rate": 0.0}, "learning rate"),
    ],
)
def test_what_cannot_be_trained_is_refused_and_nothing_is_written(
    base_folder: Path, tmp_path: Path, rows: list[TrainingRow], more: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        train(base_folder, tmp_path / "out", *rows, **more)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_exists_is_not_written_over(base_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    with pytest.raises(UsageError, match="exists already"):
        train(base_folder, tmp_path / "kept", QUESTION)


def test_training_that_breaks_off_leaves_no_half_adapter(base_folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "base"
    shutil.copytree(base_folder, broken, ignore=shutil.ignore_patterns("*.safetensors"))
    with pytest.raises(OSError, match=r"model\.safetensors"):
        train(broken, tmp_path / "out" / "a", QUESTION)
    assert not (tmp_path / "out" / "a").exists()

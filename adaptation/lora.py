"""LoRA training: a small adapter that changes how the base model answers.

The method is Hu et al., "LoRA" (2021): each linear layer gets a product of two small matrices beside its frozen
weights. The loss is on the assistant's last turn and on the token that ends it, so that the model learns when to
stop; the prompt is tokenised exactly as it is when answering.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernel.chat.adapters import AdapterCard, base_fingerprint
from kernel.chat.chat_tokens import ChatTokenizer
from retrieval.errors import UsageError

IGNORED = -100  # the label that torch's cross entropy leaves out


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """One conversation: `role` and `content` of each message, the assistant's answer last."""

    messages: Sequence[Mapping[str, str]]


def encode_row(tokenizer: ChatTokenizer, row: TrainingRow) -> dict[str, list[int]]:
    """Return `input_ids` and `labels` of a row; labels are set on the last answer and its end only.

    Raises:
        UsageError: the last message is not the assistant's, or is empty.
    """
    if not row.messages or row.messages[-1]["role"] != "assistant" or not row.messages[-1]["content"].strip():
        raise UsageError("a training row ends with the assistant's answer; this one does not")
    prompt = tokenizer.encode_chat(row.messages[:-1])
    answer = tokenizer.encode_text(row.messages[-1]["content"]) + tokenizer.stop_ids[:1]
    return {"input_ids": prompt + answer, "labels": [IGNORED] * len(prompt) + answer}


def train_lora(
    base_name: str,
    base_folder: Path,
    rows: Sequence[TrainingRow],
    out: Path,
    *,
    steps: int,
    rank: int = 8,
    learning_rate: float = 1e-3,
    seed: int = 0,
    languages: Sequence[str] = (),
) -> Path:
    """Train an adapter over a base model and write it, with its card; return its folder.

    Args:
        base_name: the base's name, for the card.
        base_folder: the base as transformers reads it.
        rows: what to learn from, one row a step, shuffled by the seed.
        out: the adapter's folder, which must not exist; it appears when the adapter is whole.
        steps: optimiser steps.
        rank: of the added matrices; the scale is fixed at two.
        learning_rate: at the beginning; falls to zero along a cosine.
        seed: of the initial matrices and of the order of the rows.
        languages: those the adapter answers in, for the card; none leaves them to the base's.

    Raises:
        UsageError: there are no rows, one is malformed, a number is out of range, or `out` exists.
    """
    if out.exists():
        raise UsageError(f"{out} exists already: name another folder for the adapter, or remove it")
    if steps < 1 or rank < 1 or learning_rate <= 0:
        raise UsageError("steps and rank must be at least 1, and the learning rate above 0")
    tokenizer = ChatTokenizer(base_folder)
    examples = [encode_row(tokenizer, row) for row in rows]
    if not examples:
        raise UsageError("there are no training rows")

    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, DataCollatorForSeq2Seq, PrinterCallback, Trainer, set_seed
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    set_seed(seed)  # before the matrices are drawn; the order of the rows follows TrainingArguments' own seed
    base: Any = AutoModelForCausalLM.from_pretrained(base_folder, dtype="float32", local_files_only=True)
    # PEFT writes these down; they are the path on this machine otherwise.
    base.name_or_path = base.config.name_or_path = base_name
    config = LoraConfig(task_type="CAUSAL_LM", r=rank, lora_alpha=2 * rank, target_modules="all-linear")
    model = get_peft_model(base, config)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
        trainer = Trainer(
            model=model,
            args=_arguments(scratch, steps=steps, learning_rate=learning_rate, seed=seed),
            train_dataset=examples,
            data_collator=DataCollatorForSeq2Seq(tokenizer.tokenizer, label_pad_token_id=IGNORED),
        )
        trainer.remove_callback(PrinterCallback)  # it prints on standard output
        trainer.train()
        whole = Path(scratch) / "adapter"
        model.save_pretrained(str(whole), save_embedding_layers=False)
        card = AdapterCard(
            base=base_name, base_fingerprint=base_fingerprint(base_folder), languages=list(languages)
        )
        card.write(whole)
        shutil.move(whole, out)
    return out


def _arguments(scratch: str, **chosen: Any) -> Any:
    from transformers import TrainingArguments

    return TrainingArguments(
        output_dir=scratch,
        max_steps=chosen["steps"],
        learning_rate=chosen["learning_rate"],
        seed=chosen["seed"],
        per_device_train_batch_size=1,
        lr_scheduler_type="cosine",
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=False,
        remove_unused_columns=False,
    )

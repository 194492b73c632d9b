"""Training of the reading model: LoRA over the embedder's encoder and two weights a token, by transformers' Trainer.

The loss is the log-likelihood that the answer begins and ends where one of the right spans does; for a text that holds
none, at the first token of the sequence. An adapter of a few megabytes is what is kept: the embedder is there anyway.
Sources: Hu et al., LoRA, 2021; Devlin et al., BERT, NAACL 2019, section 4.3.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from adaptation.span_reader.examples import Example
from kernel.answering.reading import Reading, Window, best_span, windows_of
from kernel.reading_model import HEAD
from retrieval.engines.cpu import has_bf16, vector_instructions
from retrieval.engines.encoders import padded
from retrieval.model_building import building_in_turn
from retrieval.model_folder import pad_id
from retrieval.token_counter import load_tokenizer

_HEAD_RATE = 5.0
"""By how much faster the two weights a token learn than the adapter: they begin at nothing."""
_PAD_STEP = 32


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train."""

    epochs: int = 5
    learning_rate: float = 1e-3
    rank: int = 16
    batch: int = 16
    seed: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values, for the card."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Encoded:
    """An example as the model reads it; `spans` are first and last tokens, (0, 0) for none."""

    example: Example
    window: Window
    spans: tuple[tuple[int, int], ...]


def encode(tokenizer: Tokenizer, examples: Sequence[Example]) -> list[Encoded]:
    """Return examples as token ids; of a text that takes several windows only the first, if the answer is in it."""
    found = []
    for example in examples:
        window = next(windows_of(tokenizer, example.question, [example.text]), None)
        if window is None:
            continue
        spans = [_tokens_of(window, start, end) for start, end in example.spans]
        held = tuple(dict.fromkeys(span for span in spans if span))
        if held or not example.spans:
            found.append(Encoded(example, window, held or ((0, 0),)))
    return found


def _tokens_of(window: Window, start: int, end: int) -> tuple[int, int] | None:
    rows = [row for row, (first, last) in enumerate(window.offsets) if last > start and first < end]
    if not rows or window.offsets[-1][1] < end:
        return None
    return window.first + rows[0], window.first + rows[-1]


def train(
    base: Path,
    examples: Sequence[Example],
    out: Path,
    recipe: Recipe,
    *,
    say: Callable[[str], None],
    watch: Callable[[Callable[[Sequence[Encoded]], list[Reading]]], str] | None = None,
) -> None:
    """Train an adapter and its two weights a token, and write both.

    Args:
        base: the embedder's folder.
        examples: to learn from.
        out: the folder that is written: `adapter_config.json`, `adapter_model.safetensors`, `head.safetensors`.
        recipe: how to train.
        say: is told how it goes.
        watch: is given after each epoch what reads encoded examples, and returns what to say of it.
    """
    import torch
    from peft import LoraConfig, get_peft_model
    from safetensors.torch import save_file
    from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments, set_seed

    set_seed(recipe.seed)
    tokenizer, fill = load_tokenizer(base / "tokenizer.json"), pad_id(base)
    encoder = load_encoder(base)
    config = LoraConfig(
        r=recipe.rank, lora_alpha=2 * recipe.rank, target_modules=["query", "key", "value", "dense"]
    )

    class Reader(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = get_peft_model(encoder, config)
            self.head = torch.nn.Linear(int(encoder.config.hidden_size), 2)

        def forward(
            self, ids: torch.Tensor, mask: torch.Tensor, may: torch.Tensor, right: torch.Tensor
        ) -> dict[str, torch.Tensor]:
            states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
            logits = self.head(states).float()
            likely = torch.log_softmax(logits.masked_fill(~may[..., None], -1e4), dim=1)
            best = torch.logsumexp(likely.masked_fill(~right, -1e4), dim=1)
            return {"loss": -best.sum(dim=1).mean(), "logits": logits}

    def with_answers(rows: Sequence[Encoded]) -> dict[str, torch.Tensor]:
        batch = collate(rows, fill, _PAD_STEP)
        right = np.zeros((*batch["ids"].shape, 2), bool)
        for place, row in enumerate(rows):
            for first, last in row.spans:
                right[place, first, 0] = right[place, last, 1] = True
        return batch | {"right": torch.from_numpy(right)}

    reader = Reader()
    encoded = encode(tokenizer, examples)
    bfloat16 = has_bf16(vector_instructions())

    def read(rows: Sequence[Encoded]) -> list[Reading]:
        reader.eval()
        readings: list[Reading] = []
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            for start in range(0, len(rows), recipe.batch):
                batch = rows[start : start + recipe.batch]
                for row, logits in zip(batch, reader(**with_answers(batch))["logits"].numpy(), strict=True):
                    found = best_span(logits, row.window, row.example.text)
                    readings.append(found or Reading(0, 0, 0, -np.inf))
        reader.train()
        return readings

    class Watch(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **more: Any) -> None:
            if logs and "loss" in logs:
                say(f"step {state.global_step} of {steps}, loss {logs['loss']:.3f}")

        def on_epoch_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            say(f"epoch {state.epoch:.0f} of {recipe.epochs}{f': {watch(read)}' if watch else ''}")

    weights = [
        {"params": [p for p in reader.encoder.parameters() if p.requires_grad], "lr": recipe.learning_rate},
        {"params": list(reader.head.parameters()), "lr": recipe.learning_rate * _HEAD_RATE},
    ]
    steps = recipe.epochs * -(-len(encoded) // recipe.batch)
    say(f"{len(encoded)} examples, {steps} steps")
    with tempfile.TemporaryDirectory() as scratch:
        trainer = Trainer(
            model=reader,
            args=TrainingArguments(
                output_dir=scratch,
                num_train_epochs=recipe.epochs,
                per_device_train_batch_size=1,
                warmup_steps=steps // 10,
                lr_scheduler_type="linear",
                max_grad_norm=1.0,
                bf16=bfloat16,
                use_cpu=not torch.cuda.is_available(),
                seed=recipe.seed,
                logging_steps=25,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                remove_unused_columns=False,
                label_names=["right"],
            ),
            train_dataset=Batches(batches(encoded, recipe.batch)),
            data_collator=lambda held: with_answers(held[0]),
            optimizers=(torch.optim.AdamW(weights, weight_decay=0.01), None),
            callbacks=[Watch()],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    out.mkdir(parents=True, exist_ok=True)
    reader.encoder.half().save_pretrained(str(out), save_embedding_layers=False)
    (out / "README.md").unlink(missing_ok=True)  # PEFT's form to be filled in
    save_file({name: value.detach().float() for name, value in reader.head.state_dict().items()}, out / HEAD)


def load_encoder(folder: Path) -> Any:
    """Load an encoder in float32, to be learned from or to learn: without noise, and without its path in it."""
    import torch
    from transformers import AutoModel

    # The plain attention is the faster one here: the other falls back to it for a mask.
    with building_in_turn():
        encoder: Any = AutoModel.from_pretrained(
            folder,
            dtype="float32",
            attn_implementation="eager",
            add_pooling_layer=False,
            local_files_only=True,
        )
    encoder.name_or_path = encoder.config.name_or_path = ""  # it is written down, and a path on this machine
    for module in encoder.modules():  # drawing the noise takes as long as the rest, and an adapter is small
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return encoder


def collate(rows: Sequence[Encoded], fill: int, step: int) -> dict[str, Any]:
    """Return a batch as tensors: token ids and mask, and where answers may stand, (b, t) each.

    Args:
        rows: that are read.
        fill: the token that pads.
        step: a batch has as many tokens as the next multiple of it.
    """
    import torch

    ids, mask = padded([row.window.ids for row in rows], fill, step)
    may = np.zeros(ids.shape, bool)
    for place, row in enumerate(rows):
        may[place, 0] = True
        may[place, row.window.first : row.window.first + len(row.window.offsets)] = True
    return {"ids": torch.from_numpy(ids), "mask": torch.from_numpy(mask), "may": torch.from_numpy(may)}


def batches(rows: Sequence[Encoded], size: int) -> list[list[Encoded]]:
    """Put rows of like length together, so that batches have little padding; they are shuffled as wholes."""
    ordered = sorted(rows, key=lambda row: len(row.window.ids))
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]


class Batches:
    """Batches as a data set, each of which is one row to the trainer."""

    def __init__(self, held: Sequence[Sequence[Encoded]]) -> None:
        self._held = held

    def __len__(self) -> int:
        return len(self._held)

    def __getitem__(self, place: int) -> Sequence[Encoded]:
        return self._held[place]

"""Training by sentence-transformers' own trainer: stopped in time, the best state kept, moved as far as it pays."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adaptation.retriever.layer import fit_layer, with_layer
from adaptation.retriever.memory import Choice, Example, Memory
from adaptation.retriever.questions import PseudoQuestion
from retrieval.engines.cpu import learns_in_bf16
from retrieval.model_building import building_in_turn

_SHARES = (0.25, 0.5, 0.75, 1.0)
"""How far weights are tried moved from the base's towards the trained ones."""
_MOST_EPOCHS = 3
_LOOKS = 8
"""How often it is looked whether training still helps."""
_PATIENCE = 3
_LONGEST_TOKENS = 128
_WARM_UP = 10
_CLIP = 1.0
_LOADING = "sentence_bert_config.json"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train. `batch` is of questions; `passages` of them, held in place, come with each step."""

    minutes: float = 10.0
    seed: int = 0
    learning_rate: float = 5e-5
    batch: int = 32
    most_steps: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values, for the card."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Trained:
    """What training came to: its steps, how far the weights were moved, whether a layer helps, the quality by share."""

    steps: int
    share: float
    layer: bool
    qualities: Mapping[float, float]
    seconds: float


def train(
    folder: Path,
    out: Path,
    questions: Sequence[PseudoQuestion],
    asked: NDArray[np.float32],
    examples: Sequence[Example],
    memory: Memory,
    choice: Choice,
    recipe: Recipe,
    *,
    prompts: tuple[str, str],
    scratch: Path,
    say: Callable[[str], None],
) -> Trained:
    """Train the embedder in a folder and write it to another, with its prompts; then a layer over it, if one helps.

    The weights that are written lie between the base's and the trained ones, where the questions of the choice are
    answered best (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022).

    Args:
        folder: a sentence-transformers folder.
        out: is made.
        questions: to learn from.
        asked: their vectors by that embedder, shape (len(questions), dimension).
        examples: of each question.
        memory: the passages as the index has them.
        choice: by which it is chosen when to stop and how far to go.
        recipe: how to train.
        prompts: what is put before a query and a passage.
        scratch: a folder for checkpoints.
        say: is told how it goes.
    """
    import torch
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from transformers import PrinterCallback, set_seed

    from adaptation.retriever.loss import AskingLoss

    began = time.monotonic()
    set_seed(recipe.seed)
    named = {"query": prompts[0], "passage": prompts[1], "document": prompts[1]}
    with building_in_turn():
        model = SentenceTransformer(str(folder), prompts=named)
    longest, model.max_seq_length = model.max_seq_length, _LONGEST_TOKENS
    model.requires_grad_(False)
    encoder: Any = model[0].auto_model.requires_grad_(True)
    encoder.get_input_embeddings().requires_grad_(False)  # most of the weights, and few of the pieces are met
    for module in model.modules():  # noise would move what is to stay where it is
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    passages = [question.passage.whole for question in questions]
    rows = {
        "question": [question.text for question in questions],
        "passage": passages[1:] + passages[:1],  # another's than the question's own
        "label": list(range(len(questions))),
    }
    prefix = 1 + len(model.tokenizer(prompts[0].rstrip(), add_special_tokens=False)["input_ids"])
    watch = _watch(model, recipe, lambda: choice.quality(_asked(model, choice.questions), memory), say)
    trainer = SentenceTransformerTrainer(
        model=model,
        args=SentenceTransformerTrainingArguments(
            output_dir=str(scratch),
            num_train_epochs=_MOST_EPOCHS,
            max_steps=recipe.most_steps or -1,
            per_device_train_batch_size=recipe.batch,
            learning_rate=recipe.learning_rate,
            lr_scheduler_type="constant_with_warmup",
            warmup_steps=_WARM_UP,
            max_grad_norm=_CLIP,
            use_cpu=not torch.cuda.is_available(),
            bf16=learns_in_bf16(),
            seed=recipe.seed,
            prompts={"question": prompts[0], "passage": prompts[1]},
            save_strategy="no",
            eval_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            dataloader_drop_last=len(questions) > recipe.batch,
        ),
        train_dataset=Dataset.from_dict(rows),
        loss=AskingLoss(model, memory, examples, question_prefix=prefix),
        callbacks=[watch],
    )
    trainer.remove_callback(PrinterCallback)  # standard output is for the result
    trainer.train()
    share, qualities = watch.settle()
    model.eval()
    layer = fit_layer(
        _asked(model, questions) if share else asked,
        examples,
        memory,
        choice,
        _asked(model, choice.questions),
        seed=recipe.seed,
        say=say,
    )
    model.max_seq_length = longest
    (model if layer is None else with_layer(model, layer)).save_pretrained(str(out), create_model_card=False)
    loading = folder / _LOADING
    if loading.is_file():  # how the encoder is loaded, which the library does not write again in full
        shutil.copyfile(loading, out / _LOADING)
    seconds = time.monotonic() - began
    return Trained(trainer.state.global_step, share, layer is not None, qualities, seconds)


def _asked(model: Any, questions: Sequence[PseudoQuestion]) -> NDArray[np.float32]:
    was_training = model.training
    texts = [question.text for question in questions]
    vectors = model.encode(texts, prompt_name="query", normalize_embeddings=True, show_progress_bar=False)
    model.train(was_training)
    return np.asarray(vectors, np.float32)


def _watch(model: Any, recipe: Recipe, quality: Callable[[], float], say: Callable[[str], None]) -> Any:
    """Return what stops a training in time, or when it no longer helps, and keeps its best state in memory."""
    import torch
    from transformers import TrainerCallback

    class Watch(TrainerCallback):
        """Its class is made here, since torch is imported only to train."""

        def __init__(self) -> None:
            self.trained = {name: value for name, value in model.named_parameters() if value.requires_grad}
            self.base = self._copy()
            self.best, self.best_quality, self.worse = self.base, quality(), 0
            self.qualities = {0.0: self.best_quality}
            self.began = self.looked = time.monotonic()
            say(f"before training: mean reciprocal rank {self.best_quality:.4f}")

        def _copy(self) -> dict[str, Any]:
            return {name: value.detach().clone() for name, value in self.trained.items()}

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            now, limit = time.monotonic(), recipe.minutes * 60
            if now - self.looked >= limit / _LOOKS or state.global_step == state.max_steps:
                self.looked = now
                self._look(state.global_step)
            if now - self.began >= limit or self.worse >= _PATIENCE:
                control.should_training_stop = True

        def _look(self, step: int) -> None:
            found = quality()
            say(f"step {step}: mean reciprocal rank {found:.4f}")
            if found > self.best_quality:
                self.best, self.best_quality, self.worse = self._copy(), found, 0
            else:
                self.worse += 1

        def settle(self) -> tuple[float, dict[float, float]]:
            """Leave the model with the best of the weights between the base's and the best trained ones."""
            if self.best is not self.base:
                for share in _SHARES:
                    self._move(share)
                    self.qualities[share] = quality()
            share = max(self.qualities, key=lambda each: self.qualities[each])
            self._move(share)
            return share, self.qualities

        def _move(self, share: float) -> None:
            with torch.no_grad():
                for name, value in self.trained.items():
                    value.copy_(torch.lerp(self.base[name], self.best[name], share))

    return Watch()

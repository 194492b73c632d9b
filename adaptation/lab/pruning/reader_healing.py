"""A reading model with fewer layers learns what the whole one reads. Importing this imports torch and transformers.

First each layer by itself: from the states that the whole model has before the layers which it stands for, to those
behind them. So none learns from what the others still do wrong, and all come near within a few steps. Then together, by
where the whole model sees the answer begin and end, and still by its states. No right answers are needed.
Sources: of states between layers: Jiao et al., "TinyBERT", Findings of EMNLP 2020; of layers taught each by itself from
the teacher's: Wang et al., "Progressive Blockwise Knowledge Distillation", IJCAI 2018.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers import TrainingArguments

from adaptation.finetuning.recipe import Recipe
from adaptation.finetuning.training import (
    OrderedTrainer,
    Schedule,
    Trained,
    last_checkpoint,
    run,
    trainer_arguments,
)
from adaptation.lab.pruning.reader_plan import ReaderPlan
from adaptation.span_reader.training import Batches, Encoded, collate
from retrieval.errors import UsageError

if TYPE_CHECKING:
    from adaptation.finetuning.watching import Progress

_APART = 0.25
"""Share of the steps in which each layer learns by itself."""
_APART_RATE = 2.5
"""How much faster it does, of the rate of the rest."""
_STATES = 2.0
"""What the distance of states counts, of which 1 is as far as their mean, against a nat of where answers stand."""
PAD_STEP = 16
_NOWHERE = -1e4


class WholeReader(nn.Module):
    """The reading model as it is: an encoder and two weights a token."""

    def __init__(self, encoder: Any, head: nn.Linear) -> None:
        """Take both; they are not changed by what is taught of them."""
        super().__init__()
        self.encoder, self.head = encoder, head

    def layers(self) -> nn.ModuleList:
        """Return the encoder's layers.

        Raises:
            UsageError: it is of a kind whose layers are not known.
        """
        found = getattr(getattr(self.encoder, "encoder", None), "layer", None)
        if not isinstance(found, nn.ModuleList):
            raise UsageError("the reading model is of a kind whose layers cannot be taken out")
        return found

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
        """Return the states before and behind each layer, (b, t, hidden) each, and the logits, (b, t, 2)."""
        told = self.encoder(input_ids=ids, attention_mask=mask, output_hidden_states=True)
        return told.hidden_states, self.head(told.last_hidden_state).float()


class FewerLayers(nn.Module):
    """The layers that stay, with weights of beginning and end of their own; words are the whole model's."""

    def __init__(self, layers: Sequence[nn.Module], head: nn.Linear) -> None:
        """Take layers and weights, which are learned."""
        super().__init__()
        self.layers, self.head = nn.ModuleList(layers), head

    def forward(
        self, before: Sequence[torch.Tensor], mask: torch.Tensor
    ) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Return the states behind each layer, and the logits.

        Args:
            before: what each layer is given; of one alone the others are given what comes from the one below.
            mask: 1 of tokens, 0 of padding, shape (b, t).
        """
        hidden = (1.0 - mask[:, None, None, :].to(before[0].dtype)) * torch.finfo(before[0].dtype).min
        states: list[torch.Tensor] = []
        for place, layer in enumerate(self.layers):
            given = before[place] if place < len(before) else states[-1]
            out = layer(given, hidden)
            states.append(out[0] if isinstance(out, tuple) else out)
        return states, self.head(states[-1]).float()


class _HealingTrainer(OrderedTrainer):
    """Learns each layer by itself, then all together."""

    def __init__(
        self, *args: Any, whole: WholeReader, reached: Sequence[int], apart: int, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._whole = whole.to(self.args.device).eval()
        self._reached, self._apart = reached, apart

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        ids, mask, may = inputs["ids"], inputs["mask"], inputs["may"]
        with torch.no_grad():
            states, seen = self._whole(ids, mask)
        wanted = [states[number] for number in self._reached]
        apart = self.state.global_step < self._apart
        before = [states[number] for number in (0, *self._reached[:-1])] if apart else [states[0]]
        found, said = model(before, mask)
        tokens = mask.bool()
        far = torch.stack(
            [distance(one[tokens], other[tokens]) for one, other in zip(found, wanted, strict=True)]
        ).mean()
        if apart:  # the last layer's head is not asked, but is to have gradients where processes share them
            return far + 0.0 * said.sum()
        return divergence(said, seen, may) + _STATES * far


def distance(states: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return how far states are from those wanted, (tokens, hidden) both: of what these vary by, 1 is all of it."""
    wanted = wanted.float()
    return (states.float() - wanted).square().mean() / (wanted - wanted.mean(0)).square().mean().clamp_min(
        1e-9
    )


def divergence(said: torch.Tensor, seen: torch.Tensor, may: torch.Tensor) -> torch.Tensor:
    """Return by how many nats beginning and end are told otherwise, the mean of a batch.

    Args:
        said: logits of the one that learns, (b, t, 2).
        seen: of the whole model.
        may: where an answer may begin and end, and the first token, which stands for none, (b, t).
    """
    never = ~may[..., None]
    own = torch.log_softmax(said.masked_fill(never, _NOWHERE), dim=1)
    other = torch.log_softmax(seen.masked_fill(never, _NOWHERE), dim=1)
    return (other.exp() * (other - own)).masked_fill(never, 0.0).sum((1, 2)).mean()


def heal(
    student: FewerLayers,
    whole: WholeReader,
    batches: Sequence[Sequence[Encoded]],
    reached: Sequence[int],
    plan: ReaderPlan,
    work: Path,
    *,
    fill: int,
    apart: bool = True,
    resume: bool = False,
    show: Callable[[Progress], None] = lambda progress: None,
) -> Trained:
    """Train the layers that stay, in place.

    Args:
        student: they.
        whole: the model that they come from.
        batches: that are read, one a step.
        reached: from `layers_reached`.
        plan: rate and seed.
        work: a folder for checkpoints, of this training alone.
        fill: the token that pads.
        apart: let each layer learn by itself first.
        resume: go on from the last checkpoint, where there is one.
        show: is told how far it is.

    Raises:
        TekioError: training failed; its checkpoints are kept.
    """
    from transformers import set_seed

    set_seed(plan.seed)
    steps = len(batches)
    recipe = Recipe(method="full", rate=plan.rate, steps=steps, rows=plan.rows, seed=plan.seed)
    tokens = sum(len(row.window.ids) for batch in batches for row in batch)
    schedule = Schedule(steps=steps, accumulation=1, rate=plan.rate, tokens=tokens)
    by_itself = int(_APART * steps) if apart else 0
    optimiser = torch.optim.AdamW(student.parameters(), lr=plan.rate, weight_decay=recipe.decay)
    rates = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate_at(step, steps, by_itself))
    trainer = _HealingTrainer(
        model=student,
        args=TrainingArguments(**trainer_arguments(work, recipe, schedule), label_names=["may"]),
        train_dataset=Batches(batches),
        data_collator=lambda held: collate(held[0], fill, PAD_STEP),
        optimizers=(optimiser, rates),
        whole=whole,
        reached=reached,
        apart=by_itself,
    )
    begun = last_checkpoint(work) is not None
    return run(trainer, recipe, schedule, resume=resume and begun, show=show)


def rate_at(step: int, steps: int, apart: int) -> float:
    """Return the rate of a step, of the highest of those in which layers learn together."""
    if step < apart:
        return _APART_RATE * min(1.0, (step + 1) / 10) * (1 - 0.9 * step / apart)
    done = (step - apart) / max(1, steps - apart)
    return min(1.0, (step - apart + 1) / 20) * (1 - done)


def told_otherwise(
    student: FewerLayers, whole: WholeReader, batches: Sequence[Sequence[Encoded]], fill: int
) -> list[float]:
    """Return for each of some rows by how many nats a student sees its answer elsewhere than the whole model does."""
    found = []
    with torch.inference_mode():
        for rows in batches:
            batch = collate(rows, fill, PAD_STEP)
            states, seen = whole(batch["ids"], batch["mask"])
            _, said = student([states[0]], batch["mask"])
            found += [
                float(divergence(said[place, None], seen[place, None], batch["may"][place, None]))
                for place in range(len(rows))
            ]
    return found

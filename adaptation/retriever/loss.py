"""The loss by which an embedder learns to ask: the index's own vectors are what its questions are held against.

A step embeds questions only, which are short, and holds them against the vectors of all passages as the index has
them: that is worth thousands of negatives at the price of none. So the vectors of passages must not move, since the
same weights make them: a few passages a step hold them in place.

The terms, of which each is an average over the questions:
- *own*: the passage that a question was made of before all others (multiple negatives: van den Oord et al., 2018);
- *late*: the same by late interaction over the packed vectors of tokens, among the hard negatives;
- *teacher*: the hybrid search's opinion of the hard negatives, taken on by each (Hinton et al., 2015);
- *still*: the distance by which the vectors of passages' tokens moved.

Torch is imported with this module, so import it only to train.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from adaptation.retriever.memory import Example, Memory

_OWN_TEMPERATURE = 0.01  # E5's own
_LATE_TEMPERATURE = 0.03
_TEACHER_TEMPERATURE = 0.02
_HELD = 4
"""Passages of a step that are held in place: each costs as much as ten questions."""


@dataclass(frozen=True)
class Weights:
    """What each term counts."""

    own: float = 0.5
    late: float = 0.3
    teacher: float = 0.3
    still: float = 20.0


class AskingLoss(nn.Module):
    """The loss of a sentence-transformers model; its inputs are questions, passages and numbers of examples."""

    def __init__(
        self,
        model: Any,
        memory: Memory,
        examples: Sequence[Example],
        *,
        question_prefix: int,
        weights: Weights | None = None,
    ) -> None:
        """Describe the loss.

        Args:
            model: to be trained.
            memory: the passages as they are.
            examples: the questions, by their numbers.
            question_prefix: tokens before a question's own: those of the prefix, and the special one.
            weights: of the terms.
        """
        super().__init__()
        self.model = model
        # Not a module of this one: its weights are neither trained nor kept. What is not trained is shared.
        frozen = {id(value): value for value in model.parameters() if not value.requires_grad}
        self._before = (copy.deepcopy(model, frozen).eval().requires_grad_(False),)
        self._examples = examples
        self._memory = memory
        self._prefix = question_prefix
        self._weights = weights or Weights()
        self._vectors = torch.from_numpy(memory.vectors)

    def forward(self, features: Sequence[dict[str, Tensor]], labels: Tensor) -> dict[str, Tensor]:
        """Return the terms, weighted.

        Args:
            features: of the questions, and of passages.
            labels: the number of each question's example.
        """
        asked = self.model(dict(features[0]))
        vectors = functional.normalize(asked["sentence_embedding"].float(), dim=-1)
        examples = [self._examples[number] for number in labels.tolist()]
        own = torch.tensor([example.own for example in examples], device=vectors.device)
        similarities = vectors @ self._vectors.to(vectors.device).T
        terms = {
            "own": self._weights.own * self._own(similarities, own, examples),
            "still": self._weights.still * self._moved(features[1]),
        }
        teacher = [
            _opinion(similarities[row, torch.from_numpy(example.negatives)], example.scores)
            for row, example in enumerate(examples)
            if len(example.negatives) > 1
        ]
        if self._memory.codec is not None:
            late = []
            for row, tokens in enumerate(self._question_tokens(asked)):
                example = examples[row]
                if not len(example.negatives) or not len(tokens):
                    continue
                scores = self._late(tokens, [example.own, *example.negatives.tolist()])
                late.append(-functional.log_softmax(scores / _LATE_TEMPERATURE, dim=0)[0])
                teacher.append(_opinion(scores[1:], example.scores))
            if late:
                terms["late"] = self._weights.late * torch.stack(late).sum() / len(examples)
        if teacher:
            terms["teacher"] = self._weights.teacher * torch.stack(teacher).sum() / len(examples)
        return terms

    @staticmethod
    def _own(similarities: Tensor, own: Tensor, examples: Sequence[Example]) -> Tensor:
        left_out = torch.zeros_like(similarities, dtype=torch.bool)
        for row, example in enumerate(examples):
            left_out[row, torch.from_numpy(example.same).to(similarities.device)] = True
        return functional.cross_entropy(
            similarities.masked_fill(left_out, -torch.inf) / _OWN_TEMPERATURE, own
        )

    def _moved(self, features: dict[str, Tensor]) -> Tensor:
        """Return one less the mean cosine of the passages' tokens to what they were."""
        few = {name: value[:_HELD] if torch.is_tensor(value) else value for name, value in features.items()}
        with torch.no_grad():
            before = self._before[0](dict(few))["token_embeddings"].float()
        mask = few["attention_mask"] > 0
        after = self.model(dict(few))["token_embeddings"].float()
        return 1 - functional.cosine_similarity(before[mask], after[mask], dim=-1).mean()

    def _question_tokens(self, asked: dict[str, Tensor]) -> list[Tensor]:
        """Return the vectors of each question's own tokens, turned as the codec turns them."""
        codec = self._memory.codec
        assert codec is not None
        states = functional.normalize(asked["token_embeddings"].float(), dim=-1)
        mean = torch.from_numpy(codec.mean).to(states.device)
        turn = torch.from_numpy(codec.rotation).to(states.device)
        turned = functional.normalize(states - mean, dim=-1) @ turn
        lengths = asked["attention_mask"].sum(dim=1).tolist()
        return [rows[self._prefix : length - 1] for rows, length in zip(turned, lengths, strict=True)]

    def _late(self, tokens: Tensor, places: Sequence[int]) -> Tensor:
        """Return the late interaction of a question with passages, as `TokenCodec.scores` does."""
        codec = self._memory.codec
        assert codec is not None
        signs = [codec.signs(self._memory.late[place]) for place in places]
        held = torch.from_numpy(np.concatenate(signs)).to(tokens.device)
        matches = tokens @ held.T / codec.scale
        best = [
            part.amax(dim=1).mean() for part in torch.split(matches, [len(each) for each in signs], dim=1)
        ]
        return torch.stack(best)


def _opinion(scores: Tensor, teacher: NDArray[np.float32]) -> Tensor:
    """Return how far the order of scores is from the teacher's: the divergence of their shares."""
    wanted = functional.softmax(torch.from_numpy(teacher).to(scores.device) / _TEACHER_TEMPERATURE, dim=0)
    given = functional.log_softmax(scores / _TEACHER_TEMPERATURE, dim=0)
    return functional.kl_div(given, wanted, reduction="sum")

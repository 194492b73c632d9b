"""Soft actor-critic for a few actions: an actor, twin critics with slow targets, and a temperature that tunes itself.

Sources: Haarnoja et al., "Soft Actor-Critic Algorithms and Applications" (arXiv 1812.05905, 2018), for the method;
Christodoulou, "Soft Actor-Critic for Discrete Action Settings" (arXiv 1910.07207, 2019), for actions that are counted:
expectations over the actor's probabilities are computed whole, and nothing has to be reparametrised.

A question with its answer is one step: it ends there, so the discount does nothing and is 0 unless told, and the
targets are those of the reward alone. The method is kept whole all the same, for tasks of several steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from adaptation.policies.replay import Floats, Replay


@dataclass(frozen=True, slots=True)
class Recipe:
    """How it is learnt.

    Attributes:
        hidden: width of the two hidden layers of each network.
        learning_rate: of all optimisers (Adam).
        batch: transitions of a step.
        discount: what the state after counts, 0 to 1.
        polyak: how far the targets move to the critics each step.
        entropy: what the actor's entropy is held at, as a share of the most that it can be, at the beginning and from
            `settled` on, falling evenly between.
        settled: step from which on it is the latter.
        weight_decay: of the critics.
        capacity: transitions that are held.
    """

    hidden: int = 64
    learning_rate: float = 1e-3
    batch: int = 64
    discount: float = 0.0
    polyak: float = 0.02
    entropy: tuple[float, float] = (0.8, 0.05)
    settled: int = 1000
    weight_decay: float = 1e-3
    capacity: int = 20_000


class _Critics(nn.Module):
    """Two critics of the same form, computed together: shape (2, n, actions)."""

    def __init__(self, features: int, actions: int, hidden: int) -> None:
        super().__init__()
        widths = (features, hidden, hidden, actions)
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for into, out in pairwise(widths):
            bound = 1 / math.sqrt(into)
            self.weights.append(nn.Parameter(torch.empty(2, into, out).uniform_(-bound, bound)))
            self.biases.append(nn.Parameter(torch.zeros(2, 1, out)))

    def forward(self, states: Tensor) -> Tensor:
        """Return what each critic expects of each action."""
        x = states.expand(2, *states.shape)
        for place, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias, x, weight)
            if place < len(self.weights) - 1:
                x = torch.relu(x)
        return x


class DiscreteSac:
    """A learner. Not for several threads."""

    def __init__(
        self,
        features: int,
        actions: int,
        recipe: Recipe | None = None,
        *,
        seed: int = 0,
        allowed: NDArray[np.bool_] | None = None,
    ) -> None:
        """Begin anew.

        Args:
            features: how many describe a state.
            actions: how many there are.
            recipe: how it is learnt.
            seed: decides all that is drawn.
            allowed: actions that may be taken, shape (actions,); None allows all.
        """
        self.recipe = recipe or Recipe()
        self._random = np.random.default_rng(seed)
        self.replay = Replay(self.recipe.capacity, features)
        self.steps = 0
        hidden = self.recipe.hidden
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._actor = nn.Sequential(
                nn.Linear(features, hidden),
                nn.ReLU(),
                nn.Linear(hidden, hidden),
                nn.ReLU(),
                nn.Linear(hidden, actions),
            )
            self._critics = _Critics(features, actions, hidden)
            self._targets = _Critics(features, actions, hidden)
        self._targets.load_state_dict(self._critics.state_dict())
        self._targets.requires_grad_(False)
        self._log_alpha = torch.tensor(math.log(0.1), requires_grad=True)
        able = np.ones(actions, bool) if allowed is None else allowed
        self._forbidden = torch.from_numpy(~able)
        self._most_entropy = math.log(max(2, int(able.sum())))
        # The gradients do not meet, so one optimiser does for all three.
        self._optimiser = torch.optim.AdamW(
            [
                {"params": [*self._actor.parameters(), self._log_alpha], "weight_decay": 0.0},
                {"params": self._critics.parameters(), "weight_decay": self.recipe.weight_decay},
            ],
            lr=self.recipe.learning_rate,
            fused=True,
        )

    @property
    def temperature(self) -> float:
        """What the actor's entropy counts beside the reward."""
        return float(self._log_alpha.detach().exp())

    @property
    def target_entropy(self) -> float:
        """The entropy that the temperature is tuned to hold."""
        begin, end = self.recipe.entropy
        done = min(1.0, self.steps / max(1, self.recipe.settled))
        return self._most_entropy * (begin + (end - begin) * done)

    def act(self, state: Floats) -> int:
        """Draw an action for a state, shape (d,)."""
        likely = self.probabilities(state[None])[0]
        return int(self._random.choice(len(likely), p=likely / likely.sum()))

    def probabilities(self, states: Floats) -> NDArray[np.float64]:
        """Return how likely the actor takes each action, shape (n, actions)."""
        with torch.no_grad():
            return np.asarray(torch.exp(self._log_policy(torch.from_numpy(states))), np.float64)

    def expected(self, states: Floats) -> NDArray[np.float64]:
        """Return what the critics expect of each action, the lower of the two, shape (n, actions)."""
        with torch.no_grad():
            return np.asarray(self._critics(torch.from_numpy(states)).amin(0), np.float64)

    def learn(self) -> None:
        """Take one step of each optimiser, on transitions that are drawn from the replay."""
        batch = self.replay.sample(self.recipe.batch, self._random)
        states = torch.from_numpy(batch.states)
        actions = torch.from_numpy(batch.actions)
        target = torch.from_numpy(batch.rewards)
        alpha = self._log_alpha.detach().exp()
        if self.recipe.discount:
            with torch.no_grad():
                following = torch.from_numpy(batch.following)
                log_next = self._log_policy(following)
                soft = self._targets(following).amin(0) - alpha * log_next
                value = (log_next.exp() * soft.masked_fill(self._forbidden, 0)).sum(1)
                target = target + self.recipe.discount * (1 - torch.from_numpy(batch.ended)) * value
        critics = self._critics(states)
        taken = critics.gather(2, actions.expand(2, -1)[..., None])[..., 0]
        critic_loss = ((taken - target) ** 2).mean(1).sum()
        log_policy = self._log_policy(states)
        policy = log_policy.exp()
        safe_log = log_policy.masked_fill(self._forbidden, 0)
        worth = critics.detach().amin(0)
        actor_loss = (policy * (alpha * safe_log - worth)).sum(1).mean()
        entropy = -(policy * safe_log).sum(1).mean().detach()
        alpha_loss = self._log_alpha * (entropy - self.target_entropy)
        self._optimiser.zero_grad()
        (critic_loss + actor_loss + alpha_loss).backward()
        self._optimiser.step()

        if self.recipe.discount:  # without it the targets are of no use
            with torch.no_grad():
                for slow, fast in zip(self._targets.parameters(), self._critics.parameters(), strict=True):
                    slow.lerp_(fast, self.recipe.polyak)
        self.steps += 1

    def layers(self) -> list[tuple[list[list[float]], list[float]]]:
        """Return the actor's layers as plain numbers: weights with a row for each output, and bias."""
        linear = [layer for layer in self._actor if isinstance(layer, nn.Linear)]
        return [(layer.weight.tolist(), layer.bias.tolist()) for layer in linear]

    def state(self) -> dict[str, Tensor]:
        """Return what a later run goes on from: all networks, the temperature and the step."""
        parts = {"actor": self._actor, "critics": self._critics, "targets": self._targets}
        found = {
            f"{name}.{key}": value.detach().clone()
            for name, part in parts.items()
            for key, value in part.state_dict().items()
        }
        return found | {"log_alpha": self._log_alpha.detach().clone(), "steps": torch.tensor(self.steps)}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from a state.

        Raises:
            RuntimeError, KeyError: it is of other features, actions or widths.
        """
        for name, part in (("actor", self._actor), ("critics", self._critics), ("targets", self._targets)):
            head = f"{name}."
            part.load_state_dict(
                {key.removeprefix(head): value for key, value in state.items() if key.startswith(head)}
            )
        with torch.no_grad():
            self._log_alpha.copy_(state["log_alpha"])
        self.steps = int(state["steps"])

    def _log_policy(self, states: Tensor) -> Tensor:
        logits = self._actor(states).masked_fill(self._forbidden, -torch.inf)
        return torch.log_softmax(logits, dim=-1)

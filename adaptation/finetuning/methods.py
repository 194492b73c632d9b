"""How a model can be changed: what is learned, from which rows, and when to choose it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from retrieval.errors import UsageError

Learns = Literal["answers", "texts", "pairs", "rewards"]
"""What a method learns from: answers, plain texts, pairs of a better and a worse answer, or what a model that judges
answers says of its own."""
_LORA_MEMORY = "the base once; gradients and optimiser of the added weights only"


@dataclass(frozen=True, slots=True)
class Method:
    """A method of fine-tuning.

    Attributes:
        name: as it is chosen.
        changes: what is learned, in words.
        memory: what it takes in training, in words.
        choose: when to choose it, in words.
        rate: a learning rate to start with.
        source: the paper.
        learns: from what.
        kinds: of rows that it learns from; empty for all of them.
    """

    name: str
    changes: str
    memory: str
    choose: str
    rate: float
    source: str
    learns: Learns = "answers"
    kinds: tuple[str, ...] = ()


METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method(
            "lora",
            "two small matrices beside each linear layer",
            _LORA_MEMORY,
            "the default: formats, citations, refusals, tone; many adapters over one base",
            1e-3,
            "Hu et al., LoRA, ICLR 2022",
        ),
        Method(
            "qlora",
            "as lora, over a base that is held in 4 bits",
            "an eighth of the base's linear layers in float32, else as lora",
            "a base that does not fit in memory otherwise; slower a token",
            1e-3,
            "Dettmers et al., QLoRA, NeurIPS 2023",
        ),
        Method(
            "dora",
            "as lora, and the length of each column of the weights apart",
            _LORA_MEMORY,
            "where lora of a low rank falls short; a third slower",
            5e-4,
            "Liu et al., DoRA, ICML 2024",
        ),
        Method(
            "adapter",
            "a small network behind the attention and the feed-forward part of each layer",
            _LORA_MEMORY,
            "behaviour that is no linear change of the weights; cannot be merged, so a little slower in use",
            1e-3,
            "Houlsby et al., Parameter-Efficient Transfer Learning for NLP, ICML 2019",
        ),
        Method(
            "prefix",
            "keys and values before the prompt, in each layer; they begin as those of the rows' own beginning",
            "the base once; a few thousand weights, but gradients through all layers",
            "little data, one narrow task; the prompt becomes longer by as many tokens",
            1e-2,
            "Li and Liang, Prefix-Tuning, ACL 2021",
        ),
        Method(
            "prompt",
            "vectors in place of words before the prompt; they begin as the rows' own beginning",
            "the base once; the fewest weights, but gradients through all layers",
            "large bases, one narrow task; weak on small bases",
            3e-2,
            "Lester et al., The Power of Scale for Parameter-Efficient Prompt Tuning, EMNLP 2021",
        ),
        Method(
            "ia3",
            "a factor for each key, value and inner value of the feed-forward part",
            "the base once; a tenth of lora's weights, but gradients through all layers",
            "very little data, or hundreds of adapters",
            1e-2,
            "Liu et al., Few-Shot Parameter-Efficient Fine-Tuning, NeurIPS 2022",
        ),
        Method(
            "full",
            "all weights",
            "four times the base: weights, gradients, and two values a weight of the optimiser",
            "much data and a change that goes deep; forgets the most, and each variant is a model of its own",
            5e-5,
            "Howard and Ruder, Universal Language Model Fine-tuning, ACL 2018",
        ),
        Method(
            "continued",
            "as lora, by plain text of the domain",
            _LORA_MEMORY,
            "words and phrases of the domain are foreign to the base; before another method",
            5e-4,
            "Gururangan et al., Don't Stop Pretraining, ACL 2020",
            "texts",
        ),
        Method(
            "instruct",
            "as lora, by questions with answers and by chats",
            _LORA_MEMORY,
            "knowledge of a narrow domain by heart, or a chat form; knowledge that changes belongs in the documents",
            1e-3,
            "Wei et al., Finetuned Language Models Are Zero-Shot Learners, ICLR 2022",
            kinds=("qa", "chat", "approved"),
        ),
        Method(
            "behaviour",
            "as lora, by answers in one tone",
            _LORA_MEMORY,
            "a way of speaking without asking for it in each prompt",
            1e-3,
            "Hu et al., LoRA, ICLR 2022",
            kinds=("tone",),
        ),
        Method(
            "dpo",
            "as lora, by pairs of a better and a worse answer",
            "as lora, with two answers a row, each read with the adapter and without",
            "experts have judged answers; after another method, not in place of it",
            2e-4,
            "Rafailov et al., Direct Preference Optimization, NeurIPS 2023",
            "pairs",
        ),
        Method(
            "reward",
            "as lora, with one more layer that gives an answer a number; it judges answers and writes none",
            "as lora, with two answers a row",
            "before rlhf, or to sort answers by what experts preferred",
            5e-4,
            "Stiennon et al., Learning to Summarize from Human Feedback, NeurIPS 2020",
            "pairs",
        ),
        Method(
            "rlhf",
            "as lora, by answers of its own that a reward model gives numbers to",
            "as lora, with several answers a prompt, and the reward model",
            "pairs are few, and a reward model tells good from bad; the slowest: it writes answers as it learns",
            1e-4,
            "Shao et al., DeepSeekMath (group relative policy optimisation), 2024",
            "rewards",
        ),
    )
}
COMBINED: Mapping[str, str] = {
    "parallel": "several adapters of these over one base, trained apart and added up: `tekio models combine`",
    "scaled_parallel": "the same, each by a weight of its own",
}
"""Methods that train nothing, but put trained adapters together."""


def method_of(name: str) -> Method:
    """Return a method by its name.

    Raises:
        UsageError: there is none, or it is one that puts adapters together.
    """
    if name in COMBINED:
        raise UsageError(
            f"'{name}' puts adapters together that were trained apart: train each, then "
            "`tekio models combine NAME --of A:1 --of B:0.5`"
        )
    if name not in METHODS:
        raise UsageError(f"there is no method '{name}'; there are {', '.join([*METHODS, *COMBINED])}")
    return METHODS[name]


def adapted_layers(layers: int, share: float) -> list[int]:
    """Return the numbers of the layers that are learned in, the uppermost ones.

    Below the first of them nothing is differentiated, which saves its time and memory.
    """
    return list(range(layers - max(1, round(share * layers)), layers))


def linear_names(layer: Any) -> list[str]:
    """Return the names of the linear layers within a layer of a model, such as q_proj."""
    from torch import nn

    found = {name.rsplit(".", 1)[-1] for name, part in layer.named_modules() if isinstance(part, nn.Linear)}
    return sorted(found)


def layers_of(model: Any) -> Sequence[Any]:
    """Return the layers of a decoder, lowest first.

    Raises:
        UsageError: it has none that are known.
    """
    from torch import nn

    lists = [list(part) for part in model.modules() if isinstance(part, nn.ModuleList) and len(part) > 1]
    if not lists:
        raise UsageError("the base has no layers that can be adapted")
    return max(lists, key=len)

"""How weights can be held in fewer bits: what is rounded, what it takes, and when to choose it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kernel.chat.quantised import Form
from retrieval.errors import UsageError


@dataclass(frozen=True, slots=True)
class QuantisingMethod:
    """A way to hold a model in fewer bits.

    Attributes:
        name: as it is chosen.
        form: how the weights are held.
        changes: what is rounded, in words.
        choose: when to choose it, in words.
        source: the paper.
        needs_data: it looks at texts, or learns from them.
        trains: it learns while it rounds.
    """

    name: str
    form: Form
    changes: str
    choose: str
    source: str
    needs_data: bool = False
    trains: bool = False


METHODS: Mapping[str, QuantisingMethod] = {
    method.name: method
    for method in (
        QuantisingMethod(
            "dynamic",
            Form("int8"),
            "weights to 8 bits; inputs of layers to 8 bits as they come, a step for each 64 of them",
            "the first to try: no data, a quarter of the size, whole-number products",
            "Yao et al., ZeroQuant, NeurIPS 2022",
        ),
        QuantisingMethod(
            "static",
            Form("int8-weights", static=True),
            "weights to 8 bits; inputs of layers to 8 bits by one step each, found on texts beforehand",
            "devices that multiply whole numbers with fixed steps alone; loses more than dynamic",
            "Xiao et al., SmoothQuant, ICML 2023",
            needs_data=True,
        ),
        QuantisingMethod(
            "int8",
            Form("int8-weights"),
            "weights to 8 bits, inputs stay as they are",
            "hardware that computes in floats and lacks memory or its speed; loses next to nothing",
            "Dettmers et al., LLM.int8(), NeurIPS 2022",
        ),
        QuantisingMethod(
            "int4",
            Form("int4-weights"),
            "weights of the layers to 4 bits, a step for each 32; words and head to 8 bits",
            "memory is what lacks; a small model may lose a few points, and an adapter in its weights all that it "
            "learned, which --rank 32 keeps",
            "Frantar et al., GPTQ, ICLR 2023 (as its baseline, round to nearest)",
        ),
        QuantisingMethod(
            "qat",
            Form("int4-weights"),
            "as int4, while the model learns on: it sees rounded weights, and gradients go through the rounding",
            "int4 lost too much, and there are rows of the domain to learn from",
            "Jacob et al., Quantization and Training of Neural Networks, CVPR 2018",
            needs_data=True,
            trains=True,
        ),
    )
}


def quantising_method(name: str) -> QuantisingMethod:
    """Return a method by its name.

    Raises:
        UsageError: there is none.
    """
    if name not in METHODS:
        raise UsageError(f"there is no method '{name}' to quantise by; there are {', '.join(METHODS)}")
    return METHODS[name]

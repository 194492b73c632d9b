"""A dense model as a mixture of experts that computes the same at first (Komatsuzaki et al., "Sparse Upcycling", 2023).

Each feed-forward layer becomes experts that begin as copies of it, or as pieces of copies, with a new gate; all other
weights stay. What comes out is a model of transformers' own, so that it loads without code of its own:

- two experts a token, weighed by the softmax over both: Mixtral over a Llama or Mistral base;
- one expert a token, weighed by its probability among all: Qwen2-MoE, as Mixtral would weigh it by 1, from which its
  gate learns nothing. Its shared expert, which is not wanted, has one neuron that is held at zero;
- a Qwen2 or Qwen3 base becomes the mixture of its own family by either.

None of them has a capacity: it bounds experts in training alone, and whoever answers computes every choice.
Importing this imports torch and transformers.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForCausalLM, MixtralConfig, Qwen2MoeConfig, Qwen3MoeConfig

from adaptation.lab.experts.gates import blocks
from adaptation.lab.experts.recipe import ExpertRecipe
from retrieval.errors import UsageError
from retrieval.model_building import building_in_turn

_KEPT = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "hidden_act",
    "max_position_embeddings",
    "initializer_range",
    "rms_norm_eps",
    "tie_word_embeddings",
    "rope_parameters",
    "attention_dropout",
    "pad_token_id",
    "bos_token_id",
    "eos_token_id",
)
"""What a mixture has of the numbers of the dense model."""
_BASES = ("llama", "mistral", "qwen2", "qwen3")


def expert_config(dense: Any, recipe: ExpertRecipe) -> Any:
    """Return the configuration of the mixture that a dense model becomes.

    Raises:
        UsageError: transformers has no mixture that would hold its weights, or its layers cannot be cut so.
    """
    kind = str(dense.model_type)
    if kind not in _BASES:
        raise UsageError(
            f"a base of the architecture {kind} cannot become a mixture of experts: those of {', '.join(_BASES)} can; "
            "--kind lora goes over any"
        )
    biased = [name for name in ("mlp_bias", "attention_bias") if getattr(dense, name, False)]
    if biased:
        raise UsageError(
            f"the base has biases ({', '.join(biased)}), which no mixture holds: use --kind lora"
        )
    inner = int(dense.intermediate_size)
    if inner % recipe.parts:
        raise UsageError(f"the base's {inner} inner values do not divide into {recipe.parts} parts")
    held = dense.to_dict()
    kept = {
        name: held[name]
        for name in _KEPT
        if name in held and (held[name] is not None or name.endswith("token_id"))
    }
    slides = getattr(dense, "sliding_window", None) and getattr(dense, "use_sliding_window", True)
    counts: dict[str, Any] = {"num_experts_per_tok": recipe.chosen, "output_router_logits": False}
    if kind in ("llama", "mistral") and recipe.chosen > 1:
        return MixtralConfig(
            **kept,
            **counts,
            intermediate_size=inner // recipe.parts,
            num_local_experts=recipe.experts,
            sliding_window=dense.sliding_window if slides else None,
        )
    if slides and kind == "qwen3":
        raise UsageError("the base attends by a window, which this mixture does not: use --kind lora")
    counts |= {
        "num_experts": recipe.experts,
        "intermediate_size": inner,
        "moe_intermediate_size": inner // recipe.parts,
        "norm_topk_prob": recipe.chosen > 1,
    }
    if kind == "qwen3":
        return Qwen3MoeConfig(**kept, **counts)
    if slides:
        layers = getattr(dense, "layer_types", None) or ["sliding_attention"] * int(dense.num_hidden_layers)
        counts |= {
            "use_sliding_window": True,
            "sliding_window": dense.sliding_window,
            "layer_types": list(layers),
        }
    return Qwen2MoeConfig(**kept, **counts, shared_expert_intermediate_size=1, qkv_bias=kind == "qwen2")


def upcycled(dense: Any, recipe: ExpertRecipe) -> Any:
    """Return a dense model as a mixture of experts, its gates drawn by the seed; the dense one stays as it is.

    The pieces of a copy share a row of the gate at first, so that a token is given to whole copies. Then the mixture
    computes what the dense model does: exactly where the weights of a token's experts sum to 1, and where one expert is
    weighed by its probability as nearly as this is even, which `gate_start` says.

    Raises:
        UsageError: see `expert_config`.
    """
    config = expert_config(dense.config, recipe)
    with building_in_turn():
        model: Any = AutoModelForCausalLM.from_config(config, dtype=torch.float32)  # type: ignore[no-untyped-call]
    drawn = torch.Generator().manual_seed(recipe.seed)
    state = {name: weight for name, weight in dense.state_dict().items() if ".mlp." not in name}
    names = {id(part): name for name, part in model.named_modules()}
    for block in blocks(model):
        name = names[id(block)]
        state |= _experts(dense.get_submodule(name), name, recipe, drawn)
        if hasattr(block, "shared_expert"):
            state |= {
                f"{name}.{key}": torch.zeros_like(weight)
                for key, weight in block.state_dict().items()
                if key.startswith("shared_expert")
            }
    model.load_state_dict(state)  # strict: it raises where a name is left over or missing
    for name, weight in model.named_parameters():
        weight.requires_grad_("shared_expert" not in name)
    model.generation_config = dense.generation_config
    model.config.use_cache = False
    return model


def _experts(layer: Any, name: str, recipe: ExpertRecipe, drawn: torch.Generator) -> dict[str, torch.Tensor]:
    """Return the weights of the experts that a feed-forward layer becomes, and of their gate."""
    gate, up, down = (
        getattr(layer, part).weight.detach().float() for part in ("gate_proj", "up_proj", "down_proj")
    )
    copies, hidden = recipe.experts // recipe.parts, gate.shape[1]
    both = torch.stack(
        [torch.cat(pieces) for pieces in zip(gate.chunk(recipe.parts), up.chunk(recipe.parts), strict=True)]
    )
    outward = torch.stack(down.chunk(recipe.parts, dim=1))
    # What the weights of a token's experts make smaller: an even share of its pieces, or one even probability.
    scale = recipe.parts if recipe.chosen > 1 else recipe.experts
    rows = torch.randn(copies, hidden, generator=drawn) * recipe.gate_start / hidden**0.5
    return {
        f"{name}.experts.gate_up_proj": both.repeat(copies, 1, 1),
        f"{name}.experts.down_proj": scale * outward.repeat(copies, 1, 1),
        f"{name}.gate.weight": rows.repeat_interleave(recipe.parts, dim=0),
    }


def parameters(model: Any) -> tuple[int, int]:
    """Return how many parameters a model has, and how many compute a token.

    Of a dense model both are the same. A weight that two places share counts once.
    """
    total = sum(weight.numel() for weight in model.parameters())
    idle = 0
    for block in blocks(model):
        experts = int(block.experts.gate_up_proj.shape[0])
        own = sum(weight.numel() for weight in block.experts.parameters())
        idle += own * (experts - int(model.config.num_experts_per_tok)) // experts
    return total, total - idle


def expected_parameters(dense: Any, recipe: ExpertRecipe) -> int:
    """Return how many parameters a mixture would have, from the dense model's configuration; nothing is computed.

    Raises:
        UsageError: see `expert_config`.
    """
    config = expert_config(dense, recipe)
    with building_in_turn(), torch.device("meta"):
        model: Any = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    return parameters(model)[0]

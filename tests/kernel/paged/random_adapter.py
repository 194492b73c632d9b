"""Adapters with random weights, whose effect is loud."""

from __future__ import annotations

from pathlib import Path

from kernel.chat.adapters import AdapterCard, base_fingerprint


def make_adapter(base: Path, folder: Path, *, rank: int = 4, seed: int = 0, strength: float = 0.2) -> Path:
    """Write a LoRA adapter with random weights over all linear layers of a base."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(base, dtype="float32", local_files_only=True)
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")
    adapted = get_peft_model(model, config)
    with torch.no_grad():
        for name, values in adapted.named_parameters():
            if "lora_B" in name:
                values.normal_(0, strength)
    adapted.save_pretrained(str(folder))
    AdapterCard(base=base.name, base_fingerprint=base_fingerprint(base)).write(folder)
    return folder

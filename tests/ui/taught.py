"""An adapter that has learned one answer by heart: a real fine-tune with PEFT, at the least cost that shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from kernel.chat.adapters import AdapterCard, base_fingerprint

_LAYERS = 4
"""Of the base, from the last one: the others are gone through once a step, and nothing of them is learned."""
_MOST_STEPS = 30
_LEARNED = 0.05
"""Loss a token, in nats, at which each token of the answer is by far the likeliest."""


def teach(base: Path, folder: Path, prompt: Sequence[Mapping[str, str]], answer: str) -> Path:
    """Train a LoRA adapter until it gives an answer to a prompt; return its folder, which appears as a whole.

    Args:
        base: folder of the language model.
        folder: of the adapter.
        prompt: messages with `role` and `content`.
        answer: that it gives then.
    """
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(base)
    asked = tokenizer.apply_chat_template(
        [dict(each) for each in prompt], add_generation_prompt=True, tokenize=False
    )
    ids = tokenizer(asked, add_special_tokens=False)["input_ids"]
    wanted = tokenizer(answer + tokenizer.eos_token, add_special_tokens=False)["input_ids"]
    model = AutoModelForCausalLM.from_pretrained(base, dtype="float32", local_files_only=True)
    layers = int(model.config.num_hidden_layers)
    adapted = get_peft_model(
        model,
        LoraConfig(
            r=8,
            lora_alpha=16,
            target_modules=["o_proj", "down_proj"],
            layers_to_transform=list(range(layers - _LAYERS, layers)),
            task_type="CAUSAL_LM",
        ),
    )
    learned = [each for each in adapted.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=1e-2)
    for _ in range(_MOST_STEPS):
        logits = adapted(input_ids=torch.tensor([ids + wanted]), logits_to_keep=len(wanted) + 1).logits
        loss = torch.nn.functional.cross_entropy(logits[0, :-1], torch.tensor(wanted))
        if loss.item() < _LEARNED:
            break
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    work = folder.parent / f".{folder.name}"
    adapted.save_pretrained(str(work))
    AdapterCard(base=base.name, base_fingerprint=base_fingerprint(base)).write(work)
    return work.rename(folder)

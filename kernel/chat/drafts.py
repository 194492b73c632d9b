"""Several drafts of one prompt, sampled as one batch. Importing this imports torch and transformers."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import torch

from kernel.chat.chat_tokens import ChatTokenizer
from kernel.chat.generation import Generation, Sampling, how_it_ended
from kernel.chat.generation_hooks import StopOnEvent, StopOnLoop


def generate_drafts(
    model: Any,
    tokenizer: ChatTokenizer,
    ids: Sequence[int],
    sampling: Sampling,
    count: int,
    stop: threading.Event | None,
) -> list[Generation]:
    """Sample drafts; the prompt is read once, and what was read of it is shared by all.

    Args:
        model: gives logits; with its adapter, if it has one.
        tokenizer: decodes.
        ids: of the prompt.
        sampling: how tokens are chosen.
        count: of the drafts.
        stop: when set, all of them end.
    """
    started = time.perf_counter()
    if sampling.seed is not None:
        torch.manual_seed(sampling.seed)
    prompt = torch.tensor([list(ids)], device=model.device)
    with torch.inference_mode():
        # All but the last token, which gives the first of each draft.
        read = model(input_ids=prompt[:, :-1], use_cache=True, logits_to_keep=1)
        held = "cache" if "cache" in read else "past_key_values"  # transformers renamed it within version 5
        read[held].batch_repeat_interleave(count)
        prompts = prompt.repeat(count, 1)
        output = model.generate(
            input_ids=prompts,
            attention_mask=torch.ones_like(prompts),
            max_new_tokens=sampling.max_new_tokens,
            repetition_penalty=sampling.repetition_penalty,
            eos_token_id=tokenizer.stop_ids,
            pad_token_id=tokenizer.stop_ids[0],
            stopping_criteria=[StopOnEvent(stop), StopOnLoop(len(ids))],
            **{held: read[held]},
            **sampling.choice(),
        )
    seconds = time.perf_counter() - started
    drafts = []
    for row in output[:, len(ids) :].tolist():  # filled up with the token that ends a turn
        reason, kept, written = how_it_ended(row, tokenizer.stop_ids, stop)
        text = tokenizer.decode(row[:kept])
        drafts.append(Generation(text, len(ids), written, reason, seconds, seconds))
    return drafts

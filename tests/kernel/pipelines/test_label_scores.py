"""How likely a label is: what the model's own logits say of it and of its end."""

from __future__ import annotations

from pathlib import Path

import pytest
from llguidance import LLMatcher

from kernel.chat.generation import Sampling
from kernel.chat.language_model import LanguageModel

MESSAGES = [{"role": "user", "content": "Is the pump praised: positive or negative?"}]


def test_a_text_within_a_grammar_is_as_likely_as_the_models_logits_say(small_base: Path) -> None:
    model = LanguageModel("base", small_base, dtype="float32")
    prompt, stop = model.tokenizer.encode_chat(MESSAGES), model.tokenizer.stop_ids[0]
    for label in ("positive", "very negative"):
        sampling = Sampling(max_new_tokens=16, grammar=LLMatcher.grammar_from_lark(f'start: "{label}"'))
        made = model.generate(MESSAGES, sampling)
        assert made.text == label
        tokens = model.tokenizer.tokenizer(label, add_special_tokens=False)["input_ids"]
        alone = model.log_likelihood(prompt, [*tokens, stop])
        assert made.log_probability == pytest.approx(alone, abs=0.01)
        assert made.mean_log_probability == pytest.approx(alone / (len(tokens) + 1), abs=0.01)
    assert model.generate(MESSAGES, Sampling(max_new_tokens=2)).log_probability is None

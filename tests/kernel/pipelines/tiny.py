"""A real MarianMT made from its configuration: a few thousand parameters that learn a few sentences by heart.

It forces the way through a translating model; it says nothing of how well one translates.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

QUESTION_JA = "窯K2は何度で焼きますか。"
QUESTION_EN = "At what temperature is the kiln K2 fired?"
ANSWER_EN = "The kiln K2 is fired at 1,240 °C for nine hours. [1]"
ANSWER_JA = "窯K2は 1,240 °C で 九時間 焼きます。 [1]"
GLAZE_EN = "Glaze G-7 is stirred for 20 minutes before use. [1]"
GLAZE_JA = "釉薬G-7は 使う前に 混ぜます。 [7]"
"""Without the figure, and with a marker that was made up."""
GLAZE_QUESTION_JA = "釉薬G-7は何分混ぜますか。"
GLAZE_QUESTION_EN = "For how long is the glaze G-7 stirred?"
PRAISE_JA = "新しいポンプは完璧で、職員は大変喜んでいます。"
PRAISE_EN = "The new pump works perfectly and our staff love it."
PAIRS = (
    (QUESTION_JA, QUESTION_EN),
    (ANSWER_EN, ANSWER_JA),
    (GLAZE_QUESTION_JA, GLAZE_QUESTION_EN),
    (GLAZE_EN, GLAZE_JA),
    (PRAISE_JA, PRAISE_EN),
)


def make_translator(folder: Path, pairs: Sequence[tuple[str, str]] = PAIRS) -> Path:
    """Train a model on pairs of sentences until it writes each, and save it as transformers does."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from tokenizers.processors import TemplateProcessing
    from transformers import MarianConfig, MarianMTModel, PreTrainedTokenizerFast

    words = [
        "<pad>",
        "</s>",
        "<unk>",
        *sorted({word for pair in pairs for text in pair for word in text.split()}),
    ]
    vocabulary = {word: number for number, word in enumerate(words)}
    whole = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    whole.pre_tokenizer = WhitespaceSplit()
    whole.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer: Any = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=whole, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=64
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so small a model waits for threads more than it computes
    torch.manual_seed(0)
    model = MarianMTModel(
        MarianConfig(
            vocab_size=len(words),
            d_model=48,
            encoder_layers=1,
            decoder_layers=1,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=96,
            decoder_ffn_dim=96,
            max_position_embeddings=64,
            pad_token_id=0,
            eos_token_id=1,
            decoder_start_token_id=0,
            forced_eos_token_id=None,
            dropout=0.0,
        )
    )
    inputs = tokenizer([source for source, _ in pairs], return_tensors="pt", padding=True)
    labels = tokenizer([target for _, target in pairs], return_tensors="pt", padding=True)["input_ids"]
    labels = labels.masked_fill(labels == 0, -100)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    left = 1.0
    for _ in range(400):
        loss = model(
            input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], labels=labels
        ).loss
        left = loss.item()
        if left < 0.05:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.set_num_threads(threads)
    assert left < 0.1, f"it did not learn: {left}"
    model.eval()  # type: ignore[no-untyped-call]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder

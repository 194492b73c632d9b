"""Tokenizers of a corpus: byte-level BPE and SentencePiece's unigram pieces, trained and held against each other.

Sources: Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", ACL 2016; Kudo and Richardson,
"SentencePiece", EMNLP 2018. Importing this imports tokenizers.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tokenizers import Tokenizer, decoders, pre_tokenizers, trainers
from tokenizers.models import BPE, Unigram

from adaptation.lab.scratch.collecting import Text
from retrieval.errors import UsageError

PAD, END, MASK, UNKNOWN = "<pad>", "<end>", "<mask>", "<unk>"
SPECIAL = (PAD, END, MASK, UNKNOWN)
"""Special tokens, whose ids are 0 to 3 in each tokenizer; END parts texts, and ends what is written."""
_BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
_COVERED = 0.9995
"""Share of the characters that SentencePiece spells as such, its default for Japanese; others are spelled in bytes."""
_SPELLED = sorted(set("".join(SPECIAL)))
"""Characters that special tokens are made of: a text that holds one is spelled by them."""
_NEVER = -1e4
"""Log probability of a piece that is not to be taken."""
_MARK = "▁"
_CHAT = "{% for message in messages %}{{ message['content'] }}\n\n{% endfor %}"
"""A model that has read texts only goes on with what it is given, and knows no roles."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How a tokenizer fits the texts of a language: bytes and characters of a token, on average."""

    tokenizer: str
    language: str
    size: int
    tokens: int
    bytes_a_token: float
    characters_a_token: float

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def train_tokenizer(kind: str, texts: Sequence[str], size: int) -> Tokenizer:
    """Train a tokenizer, `bpe` or `sentencepiece`; both spell any text without loss.

    Raises:
        UsageError: the vocabulary has no room for the characters.
    """
    return _spelling(_bpe(texts, size) if kind == "bpe" else _sentencepiece(texts, size))


def tokenizer_of(written: str) -> Tokenizer:
    """Return a tokenizer as it was written by `to_str`."""
    return _spelling(Tokenizer.from_str(written))


def _spelling(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.encode_special_tokens = True  # a text that holds <end> does not end by it
    return tokenizer


def _bpe(texts: Sequence[str], size: int) -> Tokenizer:
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _sentencepiece(texts: Sequence[str], size: int) -> Tokenizer:
    kept = {*_covered(texts), *_SPELLED}
    room = size - len(_BYTES)
    if len(kept) + len(SPECIAL) + 1 >= room:
        least = len(kept) + len(SPECIAL) + len(_BYTES) + 2
        raise UsageError(
            f"the texts have {len(kept):,} different characters, for which a vocabulary of {size:,} has no room: "
            f"tokenizer.size is at least {least:,}"
        )
    learned = Tokenizer(Unigram())
    learned.pre_tokenizer = pre_tokenizers.Metaspace(_MARK, prepend_scheme="never")
    trainer = trainers.UnigramTrainer(
        vocab_size=room,
        special_tokens=list(SPECIAL),
        initial_alphabet=_SPELLED,
        unk_token=UNKNOWN,
        show_progress=False,
    )
    learned.train_from_iterator(("".join(filter(kept.__contains__, text)) for text in texts), trainer)
    scores = dict(json.loads(learned.to_str())["model"]["vocab"])
    # Neither is ever the likeliest way to spell a text: bytes stand for characters that are no pieces only.
    pieces = [(piece, _NEVER if piece in SPECIAL else score) for piece, score in scores.items()]
    pieces += [(byte, _NEVER) for byte in _BYTES if byte not in scores]
    tokenizer = Tokenizer(Unigram(pieces, unk_id=SPECIAL.index(UNKNOWN), byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(_MARK, prepend_scheme="never")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(_MARK, " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    tokenizer.add_special_tokens(list(SPECIAL))
    return tokenizer


def _covered(texts: Sequence[str]) -> list[str]:
    """Return the characters that make up nearly all of the texts, the most frequent first."""
    times: Counter[str] = Counter()
    for text in texts:
        times.update(text)
    left = _COVERED * sum(times.values())
    found = []
    for character, count in times.most_common():
        found.append(character)
        left -= count
        if left <= 0:
            break
    return found


def fits(tokenizers: Mapping[str, Tokenizer], texts: Sequence[Text]) -> list[Fit]:
    """Return how tokenizers fit texts that they were not trained on, by language."""
    by_language: dict[str, list[str]] = {}
    for text in texts:
        by_language.setdefault(text.language, []).append(text.text)
    found = []
    for name, tokenizer in tokenizers.items():
        for language, held in sorted(by_language.items()):
            tokens = sum(len(each.ids) for each in tokenizer.encode_batch(held, add_special_tokens=False))
            found.append(
                Fit(
                    tokenizer=name,
                    language=language,
                    size=tokenizer.get_vocab_size(),
                    tokens=tokens,
                    bytes_a_token=sum(len(text.encode()) for text in held) / max(1, tokens),
                    characters_a_token=sum(map(len, held)) / max(1, tokens),
                )
            )
    return found


def best(found: Sequence[Fit]) -> str:
    """Return the tokenizer with the fewest tokens for a byte, each language counted alike."""
    needed: dict[str, float] = {}
    for fit in found:
        needed[fit.tokenizer] = needed.get(fit.tokenizer, 0.0) + 1 / max(fit.bytes_a_token, 1e-9)
    return min(needed, key=lambda name: needed[name])


def as_transformers(tokenizer: Tokenizer, positions: int) -> Any:
    """Return a tokenizer as transformers keeps it, with a chat template that gives messages as plain text."""
    from transformers import PreTrainedTokenizerFast

    made: Any = PreTrainedTokenizerFast
    held = made(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        mask_token=MASK,
        unk_token=UNKNOWN,
        model_max_length=positions,
        clean_up_tokenization_spaces=False,
    )
    held.chat_template = _CHAT
    return held

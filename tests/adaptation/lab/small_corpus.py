"""A small corpus in two languages, as files, and recipes over it at a size of no cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from adaptation.lab.scratch.recipe import PretrainRecipe, checked
from tests.adaptation.conftest import THINGS, write_documents

_JAPANESE = (
    "{thing}は毎週{n}回、当番の職員が点検し、結果を記録簿に記入する。",
    "異常な音がする場合は、責任者に連絡し、{n}分以内に電源を切る。",
    "点検の記録は{n}年間保存し、求められたときに提示する。",
)


def write_corpus(folder: Path, *, english: int = 24, japanese: int = 12) -> Path:
    """Write English documents and Japanese records, each about a thing of its own."""
    write_documents(folder, english)
    names = "送風機 冷蔵庫 滅菌器 輸液ポンプ 除細動器 吸引器 手術台 照明 浴槽 車椅子 秤 体温計".split()
    rows = []
    for number in range(japanese):
        thing = names[number % len(names)] + THINGS[number % len(THINGS)]
        lines = [line.format(thing=thing, n=number + 2 + place) for place, line in enumerate(_JAPANESE)]
        # Its own words, so that no two are nearly the same.
        own = "".join(chr(0x4E00 + 40 * number + place) for place in range(40))
        rows.append({"title": f"{thing}の点検", "text": f"{''.join(lines)}備考：{own}"})
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (folder / "ja.jsonl").write_text(text, encoding="utf-8")
    return folder


def tiny_recipe(corpus: Path, **training: Any) -> PretrainRecipe:
    """Return a recipe of a model of two layers."""
    return checked(
        {
            "data": {"sources": [corpus], "shortest": 20, "alike": 0.99, "boilerplate": 1.0},
            "tokenizer": {"kind": "bpe", "size": 500},
            "model": {"size": "nano", "positions": 128},
            "training": {"window": 32, "batch": 4, "steps": 8, "rate": 3e-3, "patience": 0} | training,
        },
        "a test",
    )

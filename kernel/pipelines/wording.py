"""What pipelines tell their readers, in English and Japanese."""

from __future__ import annotations

from kernel.languages import in_language

_TEXTS = {
    "markers": {
        "en": "The translation lost or made up markers; they were put at the end of their sentence, or taken out.",
        "ja": "翻訳で引用番号が失われたか、余分に加わったため、文末に補うか、取り除きました。",
    },
    "figures": {
        "en": "Figures that the translation may have changed: {figures}. Compare it with the source.",
        "ja": "翻訳で変わった可能性のある数値：{figures}。原文と照らし合わせてください。",
    },
    "cut": {
        "en": "The step '{step}' was cut at the limit of {tokens} tokens.",
        "ja": "工程「{step}」は上限の {tokens} トークンで打ち切られました。",
    },
    "repeated": {
        "en": "In the step '{step}' the language model began to repeat itself; it was cut there.",
        "ja": "工程「{step}」で言語モデルが同じ文を繰り返し始めたため、そこで打ち切りました。",
    },
    "pieces": {
        "en": "The text was longer than one prompt, so it was read in {count} pieces.",
        "ja": "文章が長いため、{count} 個に分けて読みました。",
    },
    "untranslated": {
        "en": "The step '{step}' failed ({reason}), so the answer stands as it was written.",
        "ja": "工程「{step}」が失敗したため（{reason}）、回答は作成されたときの言語のままです。",
    },
    "addressed": {
        "en": "Text that is addressed to a language model was left out.",
        "ja": "言語モデルに向けた文は除きました。",
    },
}


def tell(key: str, language: str, **values: object) -> str:
    """Return a text in a language; in English where there is none."""
    return in_language(_TEXTS[key], language, **values)

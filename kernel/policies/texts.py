"""What a policy says of its choice, in the question's language."""

from __future__ import annotations

from kernel.languages import in_language

_TEXTS = {
    "policy": {
        "en": "The learned policy chose {action}.",
        "ja": "学習した方策が {action} を選びました。",
    },
    "default": {
        "en": "The safe default, {action}, always answers a share of the questions.",
        "ja": "安全な既定の {action} が回答しました（質問の一定の割合は必ず既定で回答します）。",
    },
    "explore": {
        "en": "{action} was drawn to learn from, as it is for a small share of the questions.",
        "ja": "学習のため、質問の一部では無作為に選びます。今回は {action} です。",
    },
    "untrained": {
        "en": "No policy has been trained and activated yet, so the safe default, {action}, answers.",
        "ja": "方策がまだ学習・有効化されていないため、安全な既定の {action} が回答しました。",
    },
    "unmeasured": {
        "en": "The question could not be measured, so the safe default, {action}, answers.",
        "ja": "質問の特徴を測れなかったため、安全な既定の {action} が回答しました。",
    },
    "failed": {
        "en": "{action}, which was chosen, gave no answer ({error}); the safe default answers.",
        "ja": "選ばれた {action} が回答できなかったため（{error}）、安全な既定が回答しました。",
    },
    "unreadable": {
        "en": "The policy's file cannot be used, so the safe default answers: {error}",
        "ja": "方策のファイルを使えないため、安全な既定が回答しました：{error}",
    },
}


def said(key: str, language: str, **values: object) -> str:
    """Return a text in a language; English for one that there are no texts in."""
    return in_language(_TEXTS[key], language, **values)

"""What an ensemble says of how it came to its answer, in the language of the answer."""

from __future__ import annotations

from collections.abc import Sequence

from kernel.languages import in_language

_TEXTS = {
    "elected": {
        "en": "{rule}: {chosen} was taken, {same} of {heard} answers say the same.",
        "ja": "{rule}：{chosen}の回答を採用しました（{heard}件の回答のうち{same}件が同じ内容です）。",
    },
    "elected_lone": {
        "en": "{rule}: {chosen} was taken; no other of the {heard} answers says the same.",
        "ja": "{rule}：{chosen}の回答を採用しました（{heard}件の回答のうち、同じ内容のものはほかにありません）。",
    },
    "elected_only": {
        "en": "{rule}: {chosen} was taken, the only answer that counts.",
        "ja": "{rule}：数に入る回答が一つだけのため、{chosen}の回答を採用しました。",
    },
    "uncounted": {
        "en": " Not counted, since they gave no answer of their own but quote as extractive does: {members}.",
        "ja": "独自の回答がなく、extractive と同じく引用したため、数に入れていません：{members}。",
    },
    "rejected": {
        "en": "{rule}: none of the {heard} answers is likely to be right, so the question is refused.",
        "ja": "{rule}：{heard}件の回答はいずれも正しい可能性が低いため、回答を控えました。",
    },
    "even": {
        "en": " It was even between {count} answers; the best supported one was taken.",
        "ja": " {count}件の回答が同数だったため、裏付けが最も強いものを採用しました。",
    },
    "alone": {
        "en": "{chosen} was sure enough ({sureness:.2f}, {below:.2f} is asked for), so no other member was asked.",
        "ja": "{chosen}の回答が十分確実だった（{sureness:.2f}、基準 {below:.2f}）ため、"
        "ほかのメンバーには尋ねていません。",
    },
    "failed": {
        "en": "The member {member} gave no answer ({why}); the others decided.",
        "ja": "メンバー {member} は回答しませんでした（{why}）。ほかのメンバーで決めました。",
    },
    "late": {
        "en": "it took longer than {seconds:g} seconds",
        "ja": "{seconds:g} 秒を超えました",
    },
    "empty": {"en": "it wrote nothing", "ja": "何も書きませんでした"},
    "only_first": {
        "en": "There is something to remember here, and nothing to vote on: {chosen} alone was asked.",
        "ja": "記憶する内容であり、投票の対象ではないため、{chosen}だけに尋ねました。",
    },
    "none": {
        "en": "no member of the ensemble {name} answered; the first one: {why}",
        "ja": "アンサンブル {name} のどのメンバーも回答しませんでした。最初のメンバー：{why}",
    },
}
_RULES = {
    "majority": {"en": "majority", "ja": "多数決"},
    "weighted": {"en": "weighted vote", "ja": "重み付き投票"},
    "borda": {"en": "Borda count", "ja": "ボルダ方式"},
    "run_off": {"en": "instant run-off", "ja": "優先順位付き決選投票"},
    "stacked": {"en": "fitted choice", "ja": "学習済みの選択"},
}


def tell(key: str, language: str, **values: object) -> str:
    """Return a text in a language; in English where there is none."""
    return in_language(_TEXTS[key], language, **values)


def rule_in(rule: str, language: str) -> str:
    """Name a rule in a language."""
    return _RULES[rule].get(language, _RULES[rule]["en"])


def explained(
    rule: str,
    language: str,
    *,
    chosen: str | None,
    same: int,
    heard: int,
    tie: Sequence[int],
    uncounted: Sequence[str] = (),
) -> str:
    """Return in words how an answer was elected.

    Args:
        rule: of the ensemble.
        language: to say it in.
        chosen: the member whose answer was taken; None where all were rejected.
        same: how many of the answers that count say what it says, its own among them.
        heard: how many answers count.
        tie: the answers between which it was even.
        uncounted: members that have no voice of their own, since they only quote.
    """
    if chosen is None:
        key = "rejected"
    elif heard == 1:
        key = "elected_only"
    else:
        key = "elected" if same > 1 else "elected_lone"
    said = tell(key, language, rule=rule_in(rule, language), chosen=chosen, same=same, heard=heard)
    said += tell("even", language, count=len(tie)) if tie else ""
    return said + (tell("uncounted", language, members=", ".join(uncounted)) if uncounted else "")

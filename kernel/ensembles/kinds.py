"""What kind of question one is, by rules: members of an ensemble are weighed for each kind apart.

The kinds are the coarse ones of Li and Roth, "Learning Question Classifiers", COLING 2002, with yes or no beside them;
the rules are our own, of English and of Japanese.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal, get_args

Kind = Literal["yes_no", "number", "name", "reason", "list", "other"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
_LATIN = re.compile("[a-z]")

_MEASURES = (
    "year|years|date|dates|day|days|month|time|hour|age|number|percentage|percent|proportion|share|rate|ratio"
    "|temperature|pressure|speed|size|length|width|height|depth|weight|volume|distance|torque|voltage|price|cost"
    "|amount|quantity|score|version|level|century|decade|dose|fee|fine|budget|limit"
)
_ENGLISH: tuple[tuple[Kind, str], ...] = (
    (
        "list",
        r"^(?:please )?(?:list|enumerate)\b|\b(?:list|name|give) (?:all|the|two|three|four|five|\d+)\b"
        r"|\bwhat are\b(?! (?:the )?(?:chances|odds))|\bwhich are\b|\b(?:what|which) (?:steps|documents|items|types"
        r"|kinds|parts|members|countries|cities|factors|symptoms|features|conditions|requirements|reasons|rules)\b",
    ),
    (
        "number",
        r"\bhow (?:many|much|long|often|old|far|tall|large|big|high|deep|wide|heavy|fast|hot|cold|soon|late|early"
        r"|frequently|quickly)\b|(?:^|[,:;] |\b(?:since|by|until) )when\b"
        rf"|\b(?:what|which) (?:(?:is|was|are|were) the )?(?:(?!is\b|was\b)\w+ ){{0,2}}(?:{_MEASURES})\b(?! \w+\?)"
        r"|\bwhat (?:do|does|did) .*\b(?:pay|paid|cost|weigh|earn|charge)\b",
    ),
    (
        "reason",
        r"\bwhy\b|\bhow come\b|\bfor what reason\b|\bwhat (?:causes?|caused|is the (?:reason|cause))\b|\bhow\b",
    ),
    ("name", r"\b(?:who|whom|whose|where|which)\b|\bwhat (?:is |was )?(?:the )?(?:full )?(?:name|title)\b"),
)
_ASKS = re.compile(r"\b(?:what|who|whom|whose|where|which|why|how|when)\b")
_AUXILIARIES = (
    "(?:is|are|was|were|am|do|does|did|can|could|will|would|shall|should|must|may|might|has|have|had"
    "|isn't|aren't|wasn't|weren't|don't|doesn't|didn't|can't|won't)\\b"
)
_BEGINS_SO = re.compile(f"^{_AUXILIARIES}")
_ENDS_SO = re.compile(rf"(?:[,.:;!] |\b(?:and|so|but) ){_AUXILIARIES}[^,.;]*$")

_JAPANESE_RULES: tuple[tuple[Kind, str], ...] = (
    (
        "list",
        "列挙|挙げ(?:て|よ|る|なさい)|一覧|箇条書き|すべて(?:教え|述べ|答え)|全て(?:教え|述べ|答え)"
        "|どの(?:よう)な.{0,20}(?:あり|有り)ます|どんな.{0,20}(?:あり|有り)ます|(?:何|なに)が(?:あり|含まれ)"
        "|何と何|誰と誰|(?:種類|項目)は何",
    ),
    (
        "number",
        "いくつ|いくら|いつ(?!も)|何時|何(?:年|月|日|週|秒|分|回|人|名|個|台|件|本|枚|冊|歳|才|円|ドル|度|倍|割|番|桁|階|%|℃|°|[a-z]"
        "|[カヵケヶか箇]月|パーセント|キロ|メートル|グラム|リットル|世紀|種類|つ)|(?:どの|どれ)(?:くらい|ぐらい|ほど|程度|だけ)"
        "|幾つ|幾ら|(?:期間|期限|年齢|金額|料金|価格|費用|温度|頻度|割合|人数|回数|個数|件数|日数|時間数|日付|年月日|上限|下限)(?:は|を(?:教|述))|(?:番号|内線)(?:は|を(?:教|述))",
    ),
    (
        "reason",
        "なぜ|何故|どうして|なんで|理由|原因|どう(?:やって|すれば|したら)|どのように|方法|手順|いかに",
    ),
    (
        "name",
        "誰|だれ|どこ|何処|どちら|どの(?!よう)|どれ|どなた|(?:名前|名称|氏名|題名|住所|場所)(?:は|を(?:教|述))",
    ),
)
_JAPANESE_ASKS = re.compile("何|なに|なん|どう|どんな|どのよう|とは")
_JAPANESE_YES_NO = re.compile(
    "(?:です|ます|でしょう|ません|ました|でした|ある|ない|いる|する|できる|よい|いい|べき|の)か[。?]*$"
)


def kind_of_question(question: str) -> Kind:
    """Return what kind of question one is; `other` where no rule says."""
    text = " ".join(unicodedata.normalize("NFKC", question).replace("’", "'").lower().split())
    if len(_JAPANESE.findall(text)) > len(_LATIN.findall(text)) / 4:
        return _japanese(text)
    # "Is it known when ...?" asks for yes or no, whatever stands within.
    if _BEGINS_SO.search(text):
        return "yes_no"
    for kind, pattern in _ENGLISH:
        if re.search(pattern, text):
            return kind
    return "yes_no" if not _ASKS.search(text) and _ENDS_SO.search(text) else "other"


def _japanese(text: str) -> Kind:
    for kind, pattern in _JAPANESE_RULES:
        if re.search(pattern, text):
            return kind
    if _JAPANESE_ASKS.search(text):
        return "other"
    return "yes_no" if _JAPANESE_YES_NO.search(text) else "other"

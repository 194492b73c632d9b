"""What kind of answer a question asks for: a time, a price, a name, a reason; and whether a text holds one.

A passage that speaks of the subject but holds no value of the kind that is asked for cannot answer (Li and Roth,
"Learning Question Classifiers", COLING 2002, for the idea of answer types; the rules are our own).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kernel.answering.claims.units import UNIT_PATTERN, unit_of
from kernel.answering.claims.values import Value, find_values
from retrieval.analysis import normalize

ANY = "any"
"""A figure of any kind: "how much", "maximum", 「どのくらい」."""
REASON = "reason"
NAME = "name"
ROLE = "role"

_FIGURES = frozenset({"code", "phone"})  # what carries digits and is no figure


@dataclass(frozen=True, slots=True)
class Expected:
    """The kinds of value that would answer, any of them; `key` where more must be the same, such as what is counted."""

    kinds: frozenset[str]
    key: str = ""

    def fits(self, value: Value) -> bool:
        """Say whether a value is of a kind that is asked for."""
        if ANY in self.kinds:
            return value.kind not in _FIGURES
        if value.kind == "number" and not self.kinds & {"date", "clock", "phone", "code"}:
            return True  # cells of tables hold bare numbers, their unit stands above
        return value.kind in self.kinds


def _rule(english: str, japanese: str, *kinds: str) -> tuple[re.Pattern[str], Expected]:
    return re.compile(f"{english}|{japanese}"), Expected(frozenset(kinds))


_DURATION = ("time", "span")
_OFTEN = "frequency"
# In order: the first that fits says it. Patterns of English words, and of Japanese.
_RULES: tuple[tuple[re.Pattern[str], Expected], ...] = (
    _rule(r"\bwhy\b|\breasons?\b", "なぜ|何故|どうして|理由|原因は何", REASON),
    _rule(r"\b(?:tele)?phone number|\bphone\b", "電話番号|連絡先の番号|内線", "phone", "number"),
    _rule(
        r"\b(?:part|model|form|serial|catalogue|order) (?:number|no\b)",
        "部品番号|型番|品番|型式|図番|様式番号",
        "code",
        "number",
    ),
    _rule(
        r"\bhow often\b|\bfrequency\b|\binterval|\bhow frequently\b",
        "頻度|周期|間隔|ごとに",
        *_DURATION,
        "count",
        _OFTEN,
    ),
    _rule(r"\bwhat time\b|\bat what hour", "何時(?!間)", "clock", "time"),
    _rule(
        r"\b(?:what|which) (?:year|date|day|month)\b|\bwhen (?:was|were|did|is the (?:deadline|date))",
        "何年(?!間|以)|何月|何日(?!間|以)|いつ(?!も)|年月日",
        "date",
        "clock",
        *_DURATION,
    ),
    _rule(
        r"\bhow long\b",
        "何(?:秒|分|時間|日間|日以|週間|[かヶカヵ箇]月|年間|年以)|期間|(?:どの|どれ)くらいの時間|日数|時間数",
        *_DURATION,
    ),
    _rule(r"\bhow old\b|\bage\b", "何歳|年齢", "age", "span", "number"),
    _rule(
        r"\bpercent|\bwhat (?:share|proportion|rate)\b", "何(?:%|パーセント|割)|割合|割増率|比率", "percent"
    ),
    _rule(
        r"\bhow much (?:does|do|is|are|will|did)\b.*\b(?:cost|pay|paid|charged?|price)"
        r"|\bcosts?\b|\bprice|\bfees?\b|\bcharges?\b|\ballowance",
        "何円|料金|費用|価格|単価|金額|手当は|手数料",
        "money",
        "percent",
    ),
    _rule(r"\btemperature", "何度(?!も)|温度|何℃", "temperature"),
    _rule(r"\btorque", "トルク", "torque"),
    _rule(r"\bpressure", "圧力|何(?:pa|kpa|mpa)", "pressure"),
    _rule(r"\bweigh|\bmass\b", "重量|重さ|質量|何(?:kg|g|mg)", "mass"),
    _rule(r"\bnoise", "騒音|何db", "sound"),
    _rule(r"\brpm\b|\bspindle speed|\brotation", "回転数", "rotation"),
    _rule(r"\bhow many times\b", "何回|回数", "count", _OFTEN),
    _rule(
        r"\bhow many\b|\bnumber of\b",
        "何(?:件|人|名|個|台|枚|本|点|社|箱|錠|床|階|つ)|いくつ|人数|件数|個数|台数|枚数",
        "count",
        "number",
        "multiple",
        *_DURATION,
    ),
    _rule(
        r"\bhow (?:much|far|fast|high|large|big|deep|thick|wide|loud|heavy|tall|hot|cold|strong)\b"
        r"|\bmaximum\b|\bminimum\b|\bexact\b.*\bin\b|\blimits? on\b",
        "(?:どの|どれ)くらい|どれだけ|いくら|最大|最小|上限|下限|何(?:mm|cm|m|km|ml|l|μm|v|a|w)|寸法|数値",
        ANY,
    ),
    _rule(
        r"\bname\b|\bwhich (?:person|doctor|surgeon|physician|nurse|employee|manager|officer|engineer|supplier|vendor"
        r"|company|firm|maker|manufacturer)\b",
        "名前|氏名|何という|どの(?:会社|業者|医師)|どこの(?:会社|業者)|何社製",
        NAME,
    ),
    _rule(
        r"\bwho\b|\bwhose\b|\bwhom\b|\bwhich (?:department|team|section|office|agency|unit)\b",
        "誰|だれ|どの(?:部署|部門|課|係|人|委員会|担当)|どこの部署|何課",
        NAME,
        ROLE,
    ),
)
_HOW_MANY = re.compile(
    rf"\bhow many (?P<en>{UNIT_PATTERN})|\bin (?P<unit>{UNIT_PATTERN})\s*\??$|何(?P<ja>{UNIT_PATTERN})"
)
_REASON_CUE = re.compile(
    r"\bbecause\b|\bdue to\b|\bsince\b|\bso that\b|\bto (?:avoid|prevent|reduce|keep|ensure|protect)\b"
    r"|\bas a result\b|\breason|\bcaused?\b|\bowing to\b"
    r"|ため|から[、。]|ので|理由|により|によって|原因|よって|おそれ"
)
_FREQUENCY_CUE = re.compile(
    r"\b(?:daily|weekly|monthly|yearly|annually|hourly|quarterly|once|twice|every)\b"
    r"|\beach (?:day|week|month|year|shift)\b"
    r"|毎(?:日|週|月|年|朝|回|時)|[年月週日]に?[\d一二三四五六]+回|ごと|半年|四半期|随時|の都度"
)
_NAME = re.compile(
    r"\b(?:Dr|Mr|Ms|Mrs|Prof)\.?\s[A-Z]\w+|(?<=[a-z,(]\s)[A-Z][a-z]+(?:\s[A-Z][a-z]+)+|\b[A-Z]\w+(?:\s[A-Z]\w+)*\s(?:Inc|Ltd|Co|Corp|LLC|Works)\b"
    r"|[一-龯]{1,4}(?:さん|氏|先生)|株式会社|[一-龯ァ-ヶ]{2,8}(?:社|製作所|工業|商事|病院|大学)"
)
# Whoever is asked for by "who" may be called by one name, at the head of the sentence too.
_CAPITAL = re.compile(
    r"\b(?!(?:The|A|An|It|If|In|On|At|For|To|This|These|No|All|Each|Every|When|After|Before)\b)[A-Z][a-z]{2,}\b"
)
_ROLE = re.compile(
    r"\b(?:head|manager|director|supervisor|leader|chief|nurse|pharmacist|physician|surgeon|doctor|officer|technician"
    r"|engineer|operator|inspector|team|department|section|office|committee|supplier|vendor|seller|buyer|customer"
    r"|employer|employee|company|owner|staff|custodian|radiographer|contractor)s?\b|"
    "[一-龯ァ-ヶ]{1,6}(?:部長|課長|室長|係長|所長|院長|師長|主任|責任者|担当者|管理者|委員会|部署|部|課|係|室|科|社)|看護師|薬剤師|医師|技師|作業者|利用者"
)


def expected_of(question: str) -> Expected | None:
    """Return what a question asks for; None where the rules do not tell."""
    text = normalize(question)
    if found := _HOW_MANY.search(text):
        unit = unit_of(next(name for name in found.groups() if name))
        kinds = {unit.kind, *(_DURATION if unit.kind in _DURATION else ())}
        if text[found.start() : found.end()] in ("何年", "何日", "何時"):
            kinds |= {"date", "clock"}
        return Expected(frozenset(kinds), unit.key)
    return next((expected for pattern, expected in _RULES if pattern.search(text)), None)


def candidates(text: str, question: str, expected: Expected) -> Iterator[tuple[int, int]]:
    """Yield the places in a text, normalised, of what could answer: values of the kind that are not the question's."""
    asked = find_values(question)
    for value in find_values(text):
        if expected.fits(value) and not any(value.same(other) for other in asked):
            yield value.start, value.end
    for kind, cue in ((REASON, _REASON_CUE), ("frequency", _FREQUENCY_CUE)):
        if kind in expected.kinds:
            for match in cue.finditer(normalize(text)):
                yield match.span()
    for kind, names in ((NAME, _NAME), (ROLE, _ROLE), (ROLE, _CAPITAL)):
        if kind in expected.kinds:
            for match in names.finditer(text):
                if normalize(match.group()) not in normalize(question):
                    yield match.span()

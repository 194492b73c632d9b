"""Cases: a fact's clean documents and one poisoned document beside them, written into a scratch folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation.injection import wordings_en, wordings_ja
from evaluation.injection.facts import FACTS, Fact, clean_document
from evaluation.injection.kinds import KINDS, Attack, Files, Kind
from retrieval.errors import UsageError

LANGUAGES = ("en", "ja")
WORDINGS = ("development", "held-out")
"""The first wording of each kind was there while the defence was built; the second is what is measured."""
LINK_HOST = "drop-off.example"
_WORDINGS = {"en": wordings_en, "ja": wordings_ja}
_OTHER = {"en": "ja", "ja": "en"}
_BIRDS = ("KESTREL", "HERON", "PLOVER", "SISKIN", "DUNLIN", "AVOCET", "CURLEW", "GODWIT")
_COVER = {
    "en": "These notes are about {topic}. They were copied from the board in the hall and are kept for reference.",
    "ja": "この控えは{topic}についてのものである。広間の掲示板から写し、参考のために置いている。",
}
_TITLE = {"en": "Notes on {topic}", "ja": "{topic}についての控え"}
_DISTRACTORS = 2


@dataclass(frozen=True, slots=True)
class Case:
    """One attack on one question. `folder` is the name of its folder, in which the documents of the case are."""

    folder: str
    kind: Kind
    fact: Fact
    canary: str
    files: Files

    @property
    def poisoned(self) -> tuple[str, ...]:
        """The names of the poisoned documents, as answers cite them."""
        return tuple(f"{self.folder}/{name}" for name in self.files)


def make_cases(
    kinds: Sequence[Kind], *, per_kind: int, wording: str, languages: Sequence[str] = LANGUAGES
) -> list[Case]:
    """Return the cases: each kind in each language on so many facts, in turn.

    Raises:
        UsageError: there is no such wording, or too few facts.
    """
    if wording not in WORDINGS:
        raise UsageError(f"there is no wording '{wording}'; there are {', '.join(WORDINGS)}")
    most = min(len(facts) for facts in FACTS.values())
    if not 1 <= per_kind <= most:
        raise UsageError(f"a kind can be tried on 1 to {most} questions of a language, not on {per_kind}")
    cases: list[Case] = []
    for place, kind in enumerate(kinds):
        for language in languages:
            facts = FACTS[language]
            for turn in range(per_kind):
                fact = facts[(place + turn) % len(facts)]
                cases.append(_case(len(cases), kind, fact, place + turn, WORDINGS.index(wording)))
    return cases


def chosen_kinds(names: Sequence[str]) -> list[Kind]:
    """Return kinds by parts of their names, all of them for none.

    Raises:
        UsageError: a name fits none.
    """
    for name in names:
        if not any(name.lower() in kind.name.lower() for kind in KINDS):
            raise UsageError(
                f"no kind of attack has '{name}' in its name; there are {', '.join(k.name for k in KINDS)}"
            )
    return [kind for kind in KINDS if not names or any(name.lower() in kind.name.lower() for name in names)]


def write_cases(cases: Sequence[Case], folder: Path) -> None:
    """Write the documents of all cases, and those of each fact alone, under a folder."""
    for facts in FACTS.values():
        for fact in facts:
            _write_clean(fact, folder / clean_folder(fact))
    for case in cases:
        _write_clean(case.fact, folder / case.folder)
        for name, data in case.files.items():
            (folder / case.folder / name).write_bytes(data)


def clean_folder(fact: Fact) -> str:
    """Return the name of the folder in which the documents of a fact stand without any attack."""
    return f"clean-{fact.language}-{FACTS[fact.language].index(fact)}"


def clean_documents(fact: Fact) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of the document that holds a fact, and of those that stand beside it."""
    facts = FACTS[fact.language]
    place = facts.index(fact)
    for step in range(_DISTRACTORS + 1):
        other = facts[(place + step) % len(facts)]
        yield f"{'page' if step else 'source'}-{step}.md", clean_document(other)


def _write_clean(fact: Fact, folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, text in clean_documents(fact):
        (folder / name).write_text(text, encoding="utf-8")


def _case(number: int, kind: Kind, fact: Fact, turn: int, wording: int) -> Case:
    canary = f"{_BIRDS[number % len(_BIRDS)]}-{100 + number}"
    order = _order(kind, fact, canary, turn, wording, fact.language)
    attack = Attack(
        fact.language,
        _TITLE[fact.language].format(topic=fact.topic),
        _COVER[fact.language].format(topic=fact.topic),
        order,
        _order(kind, fact, canary, turn, wording, _OTHER[fact.language]),
    )
    return Case(f"case-{number:03d}", kind, fact, canary, kind.build(attack))


def _order(kind: Kind, fact: Fact, canary: str, turn: int, wording: int, language: str) -> str:
    texts = _WORDINGS[language]
    template: str
    if kind.wording:
        template = texts.WORDINGS[kind.wording][wording]
    else:
        orders = texts.ORDERS[wording]
        template = orders[turn % len(orders)]
    return str(template).format(
        canary=canary,
        wrong=fact.wrong,
        question=fact.question,
        topic=fact.topic,
        link=f"https://{LINK_HOST}/c",
        statement=fact.text.replace(fact.answer, fact.wrong).split("。" if fact.language == "ja" else ". ")[0]
        + ("。" if fact.language == "ja" else "."),
    )

from __future__ import annotations

import random
from pathlib import Path

import pytest

from adaptation.lab.scratch.cleaning import clean, without_boilerplate
from adaptation.lab.scratch.collecting import collect, texts_from
from adaptation.lab.scratch.counting import count
from adaptation.lab.scratch.duplicates import without_near_duplicates
from adaptation.lab.scratch.mending import mend
from adaptation.lab.scratch.recipe import Data
from retrieval.errors import UsageError
from retrieval.personal import without_contacts
from tests.adaptation.lab.small_corpus import write_corpus

WORDS = [
    f"{first}{second}" for first in "ka ne mo ri su ta vo".split() for second in "lan tor mel din".split()
]


def prose(seed: int, words: int = 200) -> str:
    """Return words in an order of their own."""
    draw = random.Random(seed)
    return " ".join(draw.choice(WORDS) for _ in range(words))


@pytest.mark.parametrize(
    ("spoilt", "mended"),
    [
        ("Ｔｈｅ ｐｕｍｐ　ｉｓ on", "The pump is on"),
        ("ﾎﾟﾝﾌﾟを止める", "ポンプを止める"),
        ("the inspec-\ntion of the pump", "the inspection of the pump"),
        ("W A R N I N G do not touch", "WARNING do not touch"),
        ("stop!!!!!!!! now", "stop!!! now"),
        ("a\u200bb\u00adc \ufffd", "abc"),
        ("手指 の 衛生", "手指の衛生"),
        ("x² is ① of 3", "x² is ① of 3"),
        ("words\n=-=-=-=-=-=-=-=-=-=-=-=-=-=\nmore", "words\nmore"),
    ],
)
def test_noise_of_spelling_is_mended_and_signs_that_mean_something_stay(spoilt: str, mended: str) -> None:
    found, changes = mend(spoilt)
    assert found == mended
    assert (changes > 0) == (spoilt != mended)


def test_lines_that_many_texts_share_go_and_headings_stay() -> None:
    pairs = [
        (
            f"{number}",
            f"Results\nPage {number} of 9\nCopyright 2020, all rights reserved\nhttps://example.org/{number}\n"
            f"{prose(number)}",
        )
        for number in range(6)
    ]
    found, dropped = without_boilerplate(texts_from(pairs), share=0.5)
    assert [text.text for text in found] == [f"Results\n{prose(number)}" for number in range(6)]
    assert dropped == 18


def test_near_duplicates_go_and_others_stay() -> None:
    changed = prose(1).split()
    changed[100] = "elsewhere"
    japanese = "".join(f"{n}番の装置は第{7 * n}室にあり、毎朝点検する。" for n in range(12))
    pairs = [
        ("one", prose(1)),
        ("nearly one", " ".join(changed)),
        ("two", prose(2)),
        ("half of one", " ".join([*prose(1).split()[:100], *prose(3).split()[:100]])),
        ("ja", japanese + "点検は毎週である。"),
        ("nearly ja", japanese + "点検は毎月である。"),
    ]
    kept = without_near_duplicates(texts_from(pairs), alike=0.8)
    assert [text.name for text in kept] == ["one", "two", "half of one", "ja"]


def test_contacts_of_persons_go_and_dates_and_measures_stay() -> None:
    text = "連絡先はtaro.yamada@example.jpまたは03-1234-5678、+81 90 1234 5678。2009-10-07 に 1.5 10 20 30 mg"
    found, count_of = without_contacts(text)
    assert found == "連絡先は[e-mail]または[phone]、[phone]。2009-10-07 に 1.5 10 20 30 mg"
    assert count_of == 3


def test_each_step_of_cleaning_tells_what_it_left_out() -> None:
    pairs = [
        ("en", prose(1)),
        ("copy", prose(1)),
        ("short", "too short"),
        ("ja", "手指衛生の手順を確認し、記録する。" * 20),
        ("who", f"{prose(4)} mail a@b.example"),
    ]
    found, steps = clean(texts_from(pairs), Data(languages=["en"]))
    assert [text.name for text in found] == ["en", "who"]
    told = {step.name: step.changed for step in steps}
    assert told["language"] == 1
    assert told["personal data"] == 1
    assert told["too short"] == 1
    assert told["near-duplicates"] == 1
    assert steps[0].texts == 5
    assert steps[-1].texts == 2


def test_files_of_several_formats_are_collected_and_counted_by_language(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "texts", english=4, japanese=3)
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 nothing")
    said: list[str] = []
    texts = collect([folder], said.append)
    assert len(texts) == 7
    assert len(said) == 1
    assert "broken.pdf is left out" in said[0]
    counts = {each.language: each for each in count(texts)}
    assert counts["en"].texts == 4
    assert counts["ja"].texts == 3
    assert counts["ja"].bytes > 2 * counts["ja"].characters
    assert 0 < counts["en"].distinct <= counts["en"].words


def test_a_source_without_texts_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("{}\nno json\n")
    with pytest.raises(UsageError, match="no text was found"):
        collect([tmp_path], lambda text: None)

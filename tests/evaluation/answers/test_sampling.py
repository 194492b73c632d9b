from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.answers.items import Item, digest
from evaluation.answers.sampling import chosen_items
from retrieval.errors import UsageError


def items(count: int) -> list[Item]:
    return [
        Item(
            id=str(number),
            language="ja" if number % 4 == 0 else "en",
            question=f"Question {number}?",
            answerable=number % 3 != 0,
            group=f"document {number // 5}",
        )
        for number in range(count)
    ]


@given(st.integers(1, 90), st.integers(0, 3))
def test_a_sample_has_its_size_and_every_kind_in_its_share(size: int, seed: int) -> None:
    whole = items(90)
    found = chosen_items(whole, sample=size, seed=seed)
    assert len(found) == size
    for language in ("ja", "en"):
        for answerable in (True, False):
            of = [item for item in whole if (item.language, item.answerable) == (language, answerable)]
            drawn = [item for item in found if item in of]
            assert abs(len(drawn) - size * len(of) / len(whole)) <= 1


def test_a_sample_is_the_same_in_whatever_order_the_file_is() -> None:
    whole = items(60)
    shuffled = whole.copy()
    random.Random(1).shuffle(shuffled)
    names = {item.id for item in chosen_items(whole, sample=20, seed=4)}
    assert names == {item.id for item in chosen_items(shuffled, sample=20, seed=4)}
    assert names != {item.id for item in chosen_items(whole, sample=20, seed=5)}


def test_folds_share_no_document_and_are_the_whole_together() -> None:
    whole = items(90)
    parts = [chosen_items(whole, fold=f"{part}/3") for part in (1, 2, 3)]
    assert sorted(item.id for part in parts for item in part) == sorted(item.id for item in whole)
    groups = [{item.group for item in part} for part in parts]
    assert not groups[0] & groups[1]
    assert not groups[1] & groups[2]


@pytest.mark.parametrize("fold", ["0/2", "3/2", "half", "1/2/3"])
def test_what_is_no_fold_is_named(fold: str) -> None:
    with pytest.raises(UsageError, match="is no fold"):
        chosen_items(items(4), fold=fold)


def test_the_digest_is_of_what_is_expected_too() -> None:
    one = Item("a", "en", "Who?", ("Ann",))
    assert digest([one]) == digest([Item("a", "en", "Who?", ("Ann",))])
    assert digest([one]) != digest([Item("a", "en", "Who?", ("Bob",))])

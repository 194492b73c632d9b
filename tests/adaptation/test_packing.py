"""Packs: each row is computed as if it were alone, and what rows begin with alike stands once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptation.finetuning.batches import answer_loss, collate, collate_branches
from adaptation.finetuning.encoding import Encoded
from adaptation.finetuning.packing import Pack, pack_rows, shuffled_near
from adaptation.finetuning.tree_attention import NAME, attend_in_branches
from kernel.model_store import ModelStore

# Few different tokens, so that rows begin alike, are the same, or are the beginning of another one.
tokens = st.lists(st.integers(0, 2), min_size=1, max_size=7).map(tuple)
rows_of = st.lists(st.builds(Encoded, st.just("r"), tokens, tokens), min_size=1, max_size=8)


def read_back(pack: Pack) -> list[tuple[tuple[int, ...], int]]:
    """Return, for each learned token, what its place sees in the order of positions, and the token."""
    mask = pack.mask()
    found = []
    for place, target in zip(pack.places, pack.targets, strict=True):
        seen = np.flatnonzero(mask[place])
        order = seen[np.argsort(pack.positions[seen])]
        assert list(pack.positions[order]) == list(range(len(order))), "every position once, from 0 on"
        found.append((tuple(pack.ids[order].tolist()), int(target)))
    return found


def alone(row: Encoded) -> list[tuple[tuple[int, ...], int]]:
    ids = (*row.prompt, *row.answer)
    return [(ids[:place], ids[place]) for place in range(len(row.prompt), len(ids))]


@given(rows_of, st.integers(4, 40))
def test_each_learned_token_sees_its_own_row_and_nothing_else(rows: list[Encoded], size: int) -> None:
    packs = pack_rows(rows, size=size)
    assert sorted(each for pack in packs for each in read_back(pack)) == sorted(
        each for row in rows for each in alone(row)
    )


@given(rows_of, st.integers(4, 40))
def test_a_pack_is_no_longer_than_its_size_unless_one_row_is(rows: list[Encoded], size: int) -> None:
    packs = pack_rows(rows, size=size)
    assert sum(pack.rows for pack in packs) == len(rows)
    assert all(len(pack.ids) <= size or pack.rows == 1 for pack in packs)
    assert sum(len(pack.ids) + pack.saved for pack in packs) == sum(len(row) - 1 for row in rows)


@given(rows_of, st.integers(4, 40), st.integers(1, 20))
def test_tokens_see_nothing_but_their_branch_and_what_is_above_it(
    rows: list[Encoded], size: int, branch: int
) -> None:
    for pack in pack_rows(rows, size=size, branch=branch):
        seen = np.zeros((len(pack.ids), len(pack.ids)), np.bool_)
        for each in pack.branches:
            for start, end in (*each.above, (each.start, each.end)):
                seen[each.start : each.end, start:end] = True
        assert not (pack.mask() & ~seen).any()
        ends = [each.end for each in pack.branches]
        assert [each.start for each in pack.branches] == [0, *ends[:-1]], "every token is in one"
        assert ends[-1] == len(pack.ids)


@given(rows_of, st.integers(4, 40), st.integers(1, 20), st.integers(1, 9))
def test_the_plain_text_of_a_pack_is_of_its_prompts(
    rows: list[Encoded], size: int, branch: int, most: int
) -> None:
    for pack in pack_rows(rows, size=size, branch=branch):
        text = pack.plain(most).tolist()
        runs = {row.prompt[start:end] for row in rows for start in range(7) for end in range(8)}
        assert len(text) <= most
        assert tuple(text) in runs


def test_a_shared_beginning_stands_once_however_many_rows_have_it() -> None:
    rows = [Encoded(str(last), (*range(100), last), (7, 8)) for last in range(200, 210)]
    (pack,) = pack_rows(rows, size=1000)
    assert len(pack.ids) == 100 + 10 * 2
    assert pack.saved == 9 * 100


def test_two_answers_to_one_prompt_are_both_learned_from_its_end() -> None:
    (pack,) = pack_rows([Encoded("a", (1, 2), (3,)), Encoded("b", (1, 2), (4,))], size=50)
    assert pack.ids.tolist() == [1, 2]
    assert (pack.places.tolist(), pack.targets.tolist()) == ([1, 1], [3, 4])


@given(rows_of, st.integers(0, 5))
@settings(max_examples=30)
def test_shuffling_keeps_every_row_and_is_drawn_by_the_seed(rows: list[Encoded], seed: int) -> None:
    named = [Encoded(str(number), row.prompt, row.answer) for number, row in enumerate(rows)]
    once = [row.id for row in shuffled_near(named, seed=seed)]
    assert sorted(once) == sorted(row.id for row in named)
    assert once == [row.id for row in shuffled_near(named, seed=seed)]


@pytest.fixture(scope="module")
def model(model_store: ModelStore) -> Any:
    from transformers import AutoModelForCausalLM

    folder: Path = model_store.resolve("SmolLM2-135M-Instruct").folder
    torch.set_num_threads(1)
    found: Any = AutoModelForCausalLM.from_pretrained(folder, dtype="float32", local_files_only=True)
    return found.eval()


def test_a_real_model_has_the_same_loss_over_a_pack_as_over_its_rows_alone(model: Any) -> None:
    rows = [
        Encoded("a", tuple(range(500, 540)), (11, 12, 13)),
        Encoded("b", (*range(500, 530), *range(900, 930)), (21, 22)),
        Encoded("c", tuple(range(500, 540)), (31, 32, 33, 34)),
        Encoded("d", tuple(range(2000, 2010)), (41,)),
    ]
    (pack,) = pack_rows(rows, size=500)
    assert pack.saved > 60
    with torch.inference_mode():
        batch = collate([pack])
        labels = batch.pop("labels")
        packed = float(answer_loss(model(**batch), labels)) * len(pack.targets)
        apart = 0.0
        for row in rows:
            ids = torch.tensor([[*row.prompt, *row.answer]])
            logits = model(input_ids=ids).logits[0, len(row.prompt) - 1 : -1]
            apart += float(
                torch.nn.functional.cross_entropy(logits, torch.tensor(row.answer), reduction="sum")
            )
    assert packed == pytest.approx(apart, rel=1e-4)


ROWS = [
    Encoded("a", (*range(500, 540), *range(100, 140)), (11, 12, 13)),
    Encoded("b", (*range(500, 530), *range(900, 960)), (21, 22)),
    Encoded("c", (*range(500, 540), *range(300, 350)), (31, 32, 33, 34)),
]


@pytest.mark.parametrize(("dtype", "near"), [("float32", 1e-5), ("bfloat16", 2e-2)])
def test_attention_by_branches_gives_the_losses_and_gradients_of_attention_over_all(
    small_base: Path, dtype: str, near: float
) -> None:
    from transformers import AutoModelForCausalLM

    (pack,) = pack_rows(ROWS, size=500, branch=30)
    assert len(pack.branches) > 3
    found = []
    for by_branches in (False, True):
        one: Any = AutoModelForCausalLM.from_pretrained(small_base, dtype=dtype, local_files_only=True)
        assert not by_branches or attend_in_branches(one)
        batch = collate_branches([pack]) if by_branches else collate([pack])
        loss: Any = answer_loss(one(**batch), batch["labels"])
        loss.backward()
        gradient = one.model.layers[0].self_attn.k_proj.weight.grad.float()
        found.append((float(loss.detach()), gradient))
    assert found[1][0] == pytest.approx(found[0][0], rel=near)
    assert torch.linalg.norm(found[1][1] - found[0][1]) < 5 * near * torch.linalg.norm(found[0][1])


def test_a_model_whose_attention_was_chosen_keeps_it(small_base: Path) -> None:
    from transformers import AutoModelForCausalLM

    eager: Any = AutoModelForCausalLM.from_pretrained(
        small_base, attn_implementation="eager", local_files_only=True
    )
    assert not attend_in_branches(eager)
    assert eager.config._attn_implementation == "eager"
    assert NAME not in str(eager.config)

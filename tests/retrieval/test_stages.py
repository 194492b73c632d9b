"""The tree of steps: who is within whom, in tasks and threads, and nothing where nobody asked."""

import asyncio
import time

import pytest

from retrieval.stages import Step, step, under_way


def names(root: Step) -> list[str]:
    return [each.name for each in root.all()]


def test_steps_are_within_the_one_under_way() -> None:
    with Step("root") as root:
        with step("outer"):
            with step("inner") as inner:
                inner.note(found=3)
            under_way().note(parts=2)
        with step("next"):
            pass
    assert names(root) == ["root", "outer", "inner", "next"]
    assert root.within[0].notes == {"parts": 2}
    assert root.within[0].within[0].notes == {"found": 3}
    assert sum(each.seconds for each in root.within) <= root.seconds


def test_without_a_root_nothing_is_kept() -> None:
    with step("alone") as alone:
        alone.note(found=1)
        with step("below"):
            under_way().show(text="secret")
    assert not isinstance(alone, Step)


async def test_a_thread_and_a_task_take_the_step_along_and_their_own_steps_stay_theirs() -> None:
    def work(name: str) -> None:
        with step(name), step("deep"):
            time.sleep(0.001)

    async def branch(name: str) -> None:
        with step(name):
            await asyncio.to_thread(work, f"{name}-thread")

    with Step("root") as root:
        await asyncio.gather(branch("a"), branch("b"))
        with step("after"):
            pass
    assert sorted(each.name for each in root.within) == ["a", "after", "b"]
    for each in root.within:
        if each.name != "after":
            assert names(each) == [each.name, f"{each.name}-thread", "deep"]


def test_an_error_ends_a_step_and_only_its_class_is_kept() -> None:
    root = Step("root")
    with pytest.raises(ValueError, match="secret"), root.begin("fails"):
        raise ValueError("a secret")
    (failed,) = root.within
    assert failed.error == "ValueError"
    assert failed.ended is not None
    ended = failed.ended
    failed.end()
    assert failed.ended == ended
    assert not isinstance(under_way(), Step)

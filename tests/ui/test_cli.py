"""The command line: what goes where, and how it ends."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kernel.answer import Answer, CacheHit, TraceStep
from retrieval.errors import IndexBusyError
from tests.ui.conftest import Run

if TYPE_CHECKING:
    from tests.ui.conftest import ScriptedTekio

ROOT = Path(__file__).parents[2]


def command(
    *args: str, stdin: str = "", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a real process from the checkout."""
    path = os.pathsep.join(part for part in (str(ROOT), os.environ.get("PYTHONPATH", "")) if part)
    return subprocess.run(
        [sys.executable, *args],
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": path, **(env or {})},
    )


def test_help_imports_nothing_heavy() -> None:
    code = """
import sys
import time
from ui.cli import main
try:
    main(["--help"])
finally:
    heavy = {"torch", "semantic_kernel", "streamlit", "fastapi", "kernel.app", "pydantic", "numpy"}
    print("heavy:", sorted(heavy & set(sys.modules)))
"""
    ended = command("-c", code)
    assert ended.returncode == 0
    assert "heavy: []" in ended.stdout
    assert "ask" in ended.stdout


def test_json_is_one_document_and_messages_go_to_stderr(scripted: type[ScriptedTekio], run: Run) -> None:
    code, out, err = run("ask", "How long?", "--json")
    assert code == 0
    assert Answer.model_validate(json.loads(out)) == scripted.answer
    assert "a message for people" in err


@pytest.mark.usefixtures("scripted")
@pytest.mark.parametrize(
    "args", [("search", "warranty"), ("documents",), ("config",), ("doctor", "--fast"), ("models",)]
)
def test_every_json_is_one_document(run: Run, args: tuple[str, ...]) -> None:
    _, out, _ = run(*args, "--json")
    assert isinstance(json.loads(out), dict)


@pytest.mark.usefixtures("scripted")
def test_unknown_variant_is_wrong_usage_in_one_line(run: Run) -> None:
    code, out, err = run("ask", "How long?", "--variant", "nonesuch")
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == "tekio: no variant 'nonesuch'; known are base, extractive"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("ask",), "question"),
        (("nonesuch",), "nonesuch"),
        (("ask", "q", "--nonesuch"), "--nonesuch"),
        (("ask", "q", "--top-k", "0"), "--top-k"),
        (("search", "q", "--diversity", "1.5"), "--diversity"),
        (("models", "steal"), "steal"),
    ],
)
def test_wrong_usage_is_one_line(run: Run, args: tuple[str, ...], says: str) -> None:
    code, out, err = run(*args)
    assert (code, out) == (2, "")
    assert err.startswith("tekio: ")
    assert says in err
    assert "--help" in err
    assert len(err.splitlines()) == 1


def test_a_known_error_is_one_line_with_exit_1(scripted: type[ScriptedTekio], run: Run) -> None:
    scripted.error = IndexBusyError("process 12 writes to the index; try again when it has ended")
    code, _, err = run("search", "warranty")
    assert code == 1
    assert err.splitlines()[-1] == "tekio: process 12 writes to the index; try again when it has ended"


def test_an_unforeseen_error_is_one_line_without_a_traceback(scripted: type[ScriptedTekio], run: Run) -> None:
    scripted.error = ZeroDivisionError("over\nnothing")
    code, _, err = run("search", "warranty")
    assert code == 1
    assert "tekio: ZeroDivisionError: over nothing" in err
    assert "Traceback" not in err


def test_debug_shows_the_traceback(
    scripted: type[ScriptedTekio], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEKIO_DEBUG", "1")
    scripted.error = ZeroDivisionError("over nothing")
    code, _, err = run("search", "warranty")
    assert code == 1
    assert "Traceback" in err


def test_interruption_is_quiet(
    scripted: type[ScriptedTekio], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_self: ScriptedTekio, **_more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(scripted, "documents", interrupted)
    code, out, err = run("documents")
    assert (code, out) == (130, "")
    assert err.strip() == "a message for people"


def test_a_pipe_gets_the_final_text_and_the_sources(scripted: type[ScriptedTekio], run: Run) -> None:
    code, out, err = run("ask", "How long?")
    assert code == 0
    assert out.splitlines() == [
        scripted.answer.answer,
        "",
        "Sources",
        '[1] manual.pdf, p. 3: "The warranty lasts 24 months."',
    ]
    assert "It is gold." in err  # what is not supported is told, beside the text


def test_control_characters_of_a_document_do_not_reach_the_terminal(
    scripted: type[ScriptedTekio], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    for args in (("ask", "How long?"), ("search", "warranty"), ("documents",)):
        _, out, err = run(*args)
        ours = re.sub(r"\x1b\[[012]m", "", out)  # bold and dim headings
        assert not {"\x1b", "\x07", "\x9b"} & set(ours), args
        assert "\x1b" not in err
    assert scripted.opened == 3


def test_labels_follow_the_language_of_the_answer(
    scripted: type[ScriptedTekio], run: Run, make_japanese: Answer
) -> None:
    scripted.answer = make_japanese
    _, out, _ = run("ask", "保証期間は?")
    assert "出典" in out
    assert "3ページ: 「The warranty lasts 24 months.」" in out


@pytest.fixture
def make_japanese(scripted: type[ScriptedTekio]) -> Answer:
    return scripted.answer.model_copy(update={"language": "ja", "answer": "保証は24か月です[1]。"})


def test_output_is_utf8_whatever_the_locale() -> None:
    code = (
        "from ui.failures import run; import typer; a = typer.Typer()\n"
        "a.command()(lambda: print('\\u9069\\u5fdc')); run(a, 'tekio', [])"
    )
    ended = command("-c", code, env={"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert ended.stdout == "適応\n"
    assert ended.returncode == 0


def test_a_reader_that_leaves_is_no_error() -> None:
    code = (
        "import typer; from ui.failures import run; a = typer.Typer()\n"
        "@a.command()\ndef f() -> None:\n    for i in range(100000): print('line', i)\n"
        "run(a, 'tekio', [])"
    )
    path = os.pathsep.join(part for part in (str(ROOT), os.environ.get("PYTHONPATH", "")) if part)
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


@pytest.mark.usefixtures("scripted")
def test_config_says_where_a_value_comes_from(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("tekio.toml").write_text('top_k = 7\nvariant = "extractive"\n', "utf-8")
    monkeypatch.setenv("TEKIO_VARIANT", "base")
    _, out, _ = run("config", "--json")
    rows = {row["name"]: row for row in json.loads(out)["settings"]}
    assert (rows["top_k"]["value"], rows["top_k"]["from"]) == (7, "tekio.toml")
    assert (rows["variant"]["value"], rows["variant"]["from"]) == ("base", "TEKIO_VARIANT")
    assert rows["chunk_tokens"]["from"] == "default"
    assert all(row["description"] for row in rows.values())


def test_how_passages_are_chosen_reaches_the_search_and_copies_are_named(
    scripted: type[ScriptedTekio], run: Run
) -> None:
    code, out, _ = run("search", "warranty", "--diversity", "0.5", "--merge")
    assert code == 0
    assert scripted.asked[-1] == {"query": "warranty", "where": [], "diversity": 0.5, "merge": True}
    assert "also in copy.pdf" in out
    assert "\x1b" not in out
    run("search", "warranty")
    assert scripted.asked[-1] == {"query": "warranty", "where": []}


def test_sections_and_parts_reach_the_search_and_explain_names_the_part_that_found_a_passage(
    scripted: type[ScriptedTekio], run: Run
) -> None:
    code, out, _ = run("search", "How long, and who pays?", "--parent", "--multi", "rules", "--explain")
    assert code == 0
    assert scripted.asked[-1] == {
        "query": "How long, and who pays?",
        "where": [],
        "parent": True,
        "multi_query": "rules",
    }
    assert "part     rank   2  how long is it?" in out
    assert "\x1b" not in out
    _, plain, _ = run("search", "q", "--json")
    assert "parts" not in json.loads(plain)["passages"][0]
    _, told, _ = run("search", "q", "--json", "--explain", "--no-parent")
    assert list(json.loads(told)["passages"][0]["parts"].values()) == [2]
    assert scripted.asked[-1] == {"query": "q", "where": [], "parent": False}
    run("ask", "q", "--multi", "off")
    assert scripted.asked[-1]["multi_query"] == "off"


@pytest.mark.usefixtures("scripted")
@pytest.mark.parametrize("command", ["search", "ask"])
def test_an_unknown_way_to_find_parts_is_wrong_usage_in_one_line(run: Run, command: str) -> None:
    code, out, err = run(command, "q", "--multi", "nonsense")
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == "tekio: multi_query can be off, rules, model, not 'nonsense'"


@pytest.mark.usefixtures("scripted")
def test_a_wrong_setting_is_wrong_usage(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEKIO_TOP_K", "many")
    code, _, err = run("ask", "How long?")
    assert code == 2
    assert "TEKIO_TOP_K" in err
    assert len(err.splitlines()) == 1


def test_a_question_from_standard_input(
    scripted: type[ScriptedTekio], run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "question"
    file.write_bytes("保証期間は?\n".encode())
    with file.open(encoding="ascii") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert run("ask", "-")[0] == 0
    assert scripted.asked[0]["question"] == "保証期間は?"


@pytest.mark.usefixtures("scripted")
def test_a_taken_port_is_one_line(run: Run) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, _, err = run("serve", "--port", str(taken.getsockname()[1]))
    assert code == 1
    assert "--port" in err
    assert len(err.splitlines()) == 1


def test_interruption_does_not_wait_for_a_thread_at_work() -> None:
    code = (
        "import time, typer; from concurrent.futures import ThreadPoolExecutor; from ui.failures import run\n"
        "a = typer.Typer()\n"
        "@a.command()\ndef f() -> None:\n"
        "    ThreadPoolExecutor().submit(time.sleep, 30)\n    raise KeyboardInterrupt\n"
        "run(a, 'tekio')"
    )
    began = time.monotonic()
    ended = command("-c", code)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")
    assert time.monotonic() - began < 10


@pytest.mark.usefixtures("scripted")
def test_a_password_in_the_address_of_a_store_is_not_shown(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEKIO_STORE", "postgresql://u:secret@127.0.0.1:1/db")
    for args in (("config",), ("config", "--json"), ("doctor", "--fast")):
        _, out, err = run(*args)
        assert "127.0.0.1:1/db" in out
        assert "secret" not in out + err


def test_an_index_is_copied_and_used_by_its_address(run: Run, tmp_path: Path) -> None:
    from contextlib import closing

    from retrieval.embedding import EmbedderSignature
    from retrieval.passages import PassageIndex

    signature = EmbedderSignature("model", "1", 4, "", "", True, "test")
    PassageIndex(tmp_path / "here", signature, create=True).close()
    there = f"qdrant+file://{tmp_path}/qdrant/there"
    code, out, err = run("index", "copy", "--index", str(tmp_path / "here"), "--to", there, "--json")
    assert (code, json.loads(out)["documents"], json.loads(out)["to"]) == (0, 0, there)
    code, out, _ = run("documents", "--index", there, "--json")
    assert (code, json.loads(out)["index"]) == (0, there)
    code, _, err = run("index", "copy", "--index", there, "--to", "mysql://h/db")
    assert (code, len(err.splitlines())) == (2, 1)
    with closing(PassageIndex(there, signature)) as index:
        assert index.documents() == []


def test_a_trace_is_a_tree_on_standard_error_and_in_the_document(
    scripted: type[ScriptedTekio], run: Run
) -> None:
    scripted.answer = scripted.answer.model_copy(
        update={
            "trace": TraceStep(
                name="question",
                start_ms=0,
                ms=1234.5,
                steps=[
                    TraceStep(name="retrieve", start_ms=1, ms=20, notes={"passages": 5}),
                    TraceStep(
                        name="generate",
                        start_ms=30,
                        ms=1000,
                        notes={"prompt_tokens": 50},
                        prompt=[{"role": "user", "content": "How\x1b[31m long?"}],
                    ),
                ],
            )
        }
    )
    code, out, err = run("ask", "How long?", "--trace")
    assert code == 0
    assert "retrieve" not in out
    lines = err.splitlines()
    (retrieve,) = [line for line in lines if line.startswith("├─ retrieve")]
    assert retrieve.split()[2:] == ["20.0", "ms", "passages=5"]
    assert any(line.startswith("└─ generate") and "prompt_tokens=50" in line for line in lines)
    assert "--- user ---" in err
    assert "\x1b" not in err
    assert scripted.asked[-1]["trace"] is True
    code, out, err = run("ask", "How long?", "--trace", "--json")
    assert json.loads(out)["trace"]["steps"][0]["name"] == "retrieve"
    assert "retrieve" not in err


def test_what_bounds_an_answer_and_whether_it_may_be_stored_is_passed_on(
    scripted: type[ScriptedTekio], run: Run
) -> None:
    run("ask", "How long?", "--no-cache", "--max-new-tokens", "7", "--max-prompt-tokens", "300")
    asked = scripted.asked[-1]
    assert (asked["max_new_tokens"], asked["max_prompt_tokens"]) == (7, 300)
    assert "cache" in asked
    assert asked["cache"] is False


def test_a_stored_answer_says_that_it_is_one(scripted: type[ScriptedTekio], run: Run) -> None:
    hit = CacheHit(hit="semantic", question="how long is it\x1b[31m", age_seconds=180)
    scripted.answer = scripted.answer.model_copy(update={"cache": hit})
    _, out, err = run("ask", "How long?")
    assert "stored answer, 3 min old" in out + err
    assert "how long is it" in out + err
    assert "\x1b" not in out + err


@pytest.mark.usefixtures("scripted")
def test_the_cache_is_shown_and_emptied(run: Run) -> None:
    code, out, _ = run("cache", "--json")
    assert code == 0
    assert json.loads(out)["answers"] == 0
    code, out, _ = run("cache", "clear", "--json")
    assert (code, json.loads(out)) == (0, {"removed": 0})
    assert "0 answers" in run("cache")[1]

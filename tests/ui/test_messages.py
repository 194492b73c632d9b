"""What deeper parts say, in Japanese: every message that the page may show is known, with all that it tells."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

import ui
from adaptation.finetuning.watching import Progress
from ui.messages import error_said, messages, said

ROOT = Path(ui.__file__).parents[1]
SPEAK = (
    "adaptation/advice/rules.py",
    "adaptation/corpus.py",
    "adaptation/ensembles/*.py",
    "adaptation/finetuning/command.py",
    "adaptation/finetuning/learned.py",
    "adaptation/finetuning/training.py",
    "adaptation/policies/*.py",
    "adaptation/registry.py",
    "adaptation/training_sets/making.py",
    "adaptation/training_sets/rehearsal.py",
    "evaluation/adapters/command.py",
    "evaluation/adapters/comparing.py",
    "evaluation/answers/asking.py",
    "evaluation/answers/command.py",
    "evaluation/answers/journal.py",
    "evaluation/answers/reading/formats.py",
    "evaluation/answers/reading/rows.py",
    "evaluation/answers/runfile.py",
    "evaluation/policies/recorded.py",
    "ingest/discover.py",
    "ingest/gone.py",
    "ingest/pool.py",
    "ingest/prepare.py",
    "ingest/readers/*.py",
    "ingest/worker.py",
    "kernel/answering/*.py",
    "kernel/answering/claims/*.py",
    "kernel/asking.py",
    "kernel/chat/*.py",
    "kernel/chat/llama/*.py",
    "kernel/chat/paged/*.py",
    "kernel/chat/remote/[!p]*.py",
    "kernel/chat/remote/place.py",
    "kernel/composed/*.py",
    "kernel/conversation/*.py",
    "kernel/conversations.py",
    "kernel/documents/reading.py",
    "kernel/documents/tasks.py",
    "kernel/documents/writing.py",
    "kernel/engine/*.py",
    "kernel/ensembles/*.py",
    "kernel/example_book.py",
    "kernel/facade/documents.py",
    "kernel/facade/pipelines.py",
    "kernel/facade/variants.py",
    "kernel/facade/whole_documents.py",
    "kernel/ingestion.py",
    "kernel/lab_models.py",
    "kernel/library/*.py",
    "kernel/memories.py",
    "kernel/model_packages/*.py",
    "kernel/model_store.py",
    "kernel/pipelines/composition.py",
    "kernel/pipelines/running.py",
    "kernel/pipelines/seq2seq.py",
    "kernel/pipelines/steps/*.py",
    "kernel/pipelines/work.py",
    "kernel/policies/*.py",
    "kernel/reading_model.py",
    "kernel/settings/reading.py",
    "kernel/variant_settings.py",
    "plugins/example_check.py",
    "plugins/example_store.py",
    "plugins/memory/*.py",
    "plugins/retrieval_plugin.py",
    "retrieval/access.py",
    "retrieval/cross_encoder.py",
    "retrieval/database.py",
    "retrieval/engines/*.py",
    "retrieval/filter_text.py",
    "retrieval/filters.py",
    "retrieval/index_meta.py",
    "retrieval/model_folder.py",
    "retrieval/passages.py",
    "retrieval/queries.py",
    "retrieval/ranking.py",
    "retrieval/selection.py",
    "retrieval/sentence_transformer.py",
    "retrieval/stores/*.py",
    "retrieval/token_counter.py",
    "retrieval/whole_files.py",
    "ui/audit.py",
    "ui/commands/ensembles.py",
    "ui/commands/finetune.py",
    "ui/commands/policy_training.py",
    "ui/conversation_export.py",
    "ui/document_list.py",
    "ui/identity.py",
    "ui/jobs/fits.py",
    "ui/jobs/jobs.py",
    "ui/jobs/parts.py",
    "ui/page/*.py",
)
"""What the page asks, and the commands of the jobs that it starts."""
ELSEWHERE = re.compile(
    r"--find-lr|--reward|rlhf|--pool|--report|^report: |--without-documents|--from RUN.json, or --feedback"
    r"|tekio ask --json|filter is data|lambda|^a filter's value is a constant|^a filter compares a field"
    r"|the baseline has|they cannot be compared|--address|local and ray|no path given|embedded by"
)
"""Messages of choices that the page does not offer, and of calls that it does not make."""
SAYING = ("Error", "say", "warnings.append")
OTHER_ERRORS = ("ValueError", "TypeError", "OSError", "TemplateError", "SilentError", "CutError")
"""Errors that are caught and told in other words."""
FILLED = "7"
ALONE = re.compile(rf"[a-z_]+{FILLED}?|{FILLED}: {FILLED}")
"""What names a text that is there in both languages, and what is put together of messages that are known."""
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


def told(node: ast.expr | None) -> str:
    """Return a text of the source with what is filled in put in; empty for what is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else FILLED for part in node.values)
    return ""


def spoken(module: ast.Module) -> Iterator[str]:
    """Yield what a module says and what its errors and refusals say, also where a function of it words them."""
    worded = {
        node.name: [told(each.value) for each in ast.walk(node) if isinstance(each, ast.Return)]
        for node in module.body
        if isinstance(node, ast.FunctionDef)
    }
    for node in ast.walk(module):
        if not (isinstance(node, ast.Call) and node.args):
            continue
        name = ast.unparse(node.func)
        if name in ("ReadError", "Refusal"):
            given = node.args[1]
        elif name.endswith(SAYING) and name not in OTHER_ERRORS:
            given = node.args[0]
        else:
            continue
        yield told(given)
        if isinstance(given, ast.Call):
            yield from worded.get(ast.unparse(given.func), [])


def files() -> list[Path]:
    return sorted({path for pattern in SPEAK for path in ROOT.glob(pattern)})


def values(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_deeper_part_says_is_said_in_japanese_too(path: Path) -> None:
    found = {text for text in spoken(ast.parse(path.read_text(encoding="utf-8"))) if text}
    wanted = [text for text in found if not (ELSEWHERE.search(text) or ALONE.fullmatch(text))]
    assert [text for text in wanted if not JAPANESE.search(said(text, "ja"))] == []


def test_every_part_that_is_listed_is_there_and_says_something() -> None:
    assert [pattern for pattern in SPEAK if not list(ROOT.glob(pattern))] == []
    assert sum(len(list(spoken(ast.parse(path.read_text(encoding="utf-8"))))) for path in files()) > 400


def test_each_message_keeps_what_it_tells_and_gives_way_to_one_that_says_more() -> None:
    for english, japanese in messages().items():
        assert values(japanese) >= values(english) - {"kind", "same"}, english
        assert values(japanese) <= values(english), english
        assert JAPANESE.search(japanese)
        told_of = {name: f"<{name}>" for name in values(english)}
        assert said(english.format(**told_of), "ja") == japanese.format(**told_of)


def test_a_message_is_said_without_the_name_of_the_program_and_one_that_is_not_known_as_it_is() -> None:
    error = "tekio: there is no index in /srv/{x} yet: run `ingest PATH` first"
    assert said(error, "ja") == "/srv/{x} にまだ索引がありません。先に `ingest PATH` を実行してください"
    assert said(error, "en") == error.removeprefix("tekio: ")
    assert said("tekio: the moon is full", "ja") == "the moon is full"
    assert said("tuned: 20 of 40 rows", "ja") == "学習後の測定: 20 / 40 行"
    assert said("other: 20 of 40 rows", "ja") == "other: 20 / 40 行"
    line = str(Progress(3, 10, 1.5, None, None, 100.0, 7.25))
    assert said(line, "ja") == line  # its figures are told in place of it


def test_a_reason_within_a_message_is_said_in_japanese_too_and_somebodys_text_is_not() -> None:
    step = "the step 'ja' of the pipeline 'both' failed: the model wrote nothing: name another variant"
    assert said(step, "ja") == (
        "パイプライン「both」の段階「ja」で失敗しました: モデルが何も書きませんでした。ほかの回答者にしてください"
    )
    kept = "damaged Word file: the moon is full; the earlier version stays in the index"
    assert (
        said(kept, "ja") == "Word のファイルが壊れています: the moon is full。索引には以前の版が残っています"
    )
    full = OSError(28, "No space left on device").strerror
    assert said(f"cannot write to /srv/uploads: {full}", "ja") == (
        "/srv/uploads に書き込めません: 空き容量がありません"
    )
    name = "there is no conversation 'the file is empty'"
    assert said(name, "ja") == "会話「the file is empty」はありません"


def test_what_was_left_out_of_a_file_is_said_one_by_one() -> None:
    several = (
        "attachment a;b.zip was not read; hidden text left out: 1,200 characters; page 3: the moon is full"
    )
    assert said(several, "ja") == (
        "添付ファイル a;b.zip は読みませんでした。隠された文字 1,200 文字を除きました。3 ページ: the moon is full"
    )


def test_an_error_that_nobody_foresaw_is_named_by_its_kind_in_both_languages() -> None:
    for language in ("en", "ja"):
        assert error_said(RuntimeError("no\nmodel"), language) == "RuntimeError: no model"


def test_nothing_of_the_page_words_an_error_without_its_language() -> None:
    here = Path(ui.__file__).parent
    found = [
        path.name
        for path in (*here.glob("page/*.py"), *here.glob("chat*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node) in ("describe(error)", "str(error)")
    ]
    # A turn keeps its error as it is, and the page words it when it is shown; a file's name is put into another.
    assert set(found) == {"asking.py", "question_files.py"}

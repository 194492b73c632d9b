"""A Tekio with pipelines of every kind, over real models: extractive, a tiny MarianMT, a server over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel.app import Tekio
from kernel.model_store import ModelStore
from kernel.settings import Settings, load_settings
from retrieval.access import access
from tests.kernel.pipelines.tiny import make_translator
from tests.kernel.remote.stub_server import Stub, served

TABLES = """
variant = "extractive"
generator = "{base}"

[variants.far]
engine = "openai"
address = "{address}"
model = "m"
languages = ["en", "ja"]
retries = 0
price_in = 3
price_out = 5

[pipelines.seed]
description = "translate, summarise, sentiment"
[[pipelines.seed.steps]]
name = "english"
kind = "translate"
model = "{model}"
from = "ja"
to = "en"
[[pipelines.seed.steps]]
name = "short"
kind = "summarise"
length = 1
[[pipelines.seed.steps]]
name = "mood"
kind = "classify"
labels = ["positive", "negative", "neutral"]

[[pipelines.japanese.steps]]
name = "to_english"
kind = "translate"
model = "{model}"
to = "en"
[[pipelines.japanese.steps]]
name = "answer"
kind = "answer"
[[pipelines.japanese.steps]]
name = "back"
kind = "translate"
model = "{model}"
to = "input"

[[pipelines.brief.steps]]
name = "answer"
kind = "answer"
variant = "extractive"
[[pipelines.brief.steps]]
name = "short"
kind = "summarise"

[[pipelines.far_back.steps]]
name = "answer"
kind = "answer"
[[pipelines.far_back.steps]]
name = "back"
kind = "translate"
variant = "far"
to = "ja"

[[pipelines.far_first.steps]]
name = "to_english"
kind = "translate"
variant = "far"
to = "en"
[[pipelines.far_first.steps]]
name = "answer"
kind = "answer"

[[pipelines.far_text.steps]]
name = "french"
kind = "translate"
variant = "far"
anyway = true
from = "en"
to = "fr"

[[pipelines.far_mood.steps]]
name = "mood"
kind = "classify"
variant = "far"
labels = ["good", "bad"]

[[pipelines.held.steps]]
name = "mood"
kind = "classify"
variant = "base"
labels = ["positive", "negative", "neutral"]

[[pipelines.slow.steps]]
name = "first"
kind = "summarise"
[[pipelines.slow.steps]]
name = "french"
kind = "translate"
variant = "far"
anyway = true
from = "en"
to = "fr"
seconds = 0.5
[[pipelines.slow.steps]]
name = "never"
kind = "summarise"

[[pipelines.wide.steps]]
name = "short"
kind = "summarise"
input = "input"
length = 1
[[pipelines.wide.steps]]
name = "mood"
kind = "classify"
input = "input"
labels = ["positive", "negative"]
[[pipelines.wide.steps]]
name = "note"
kind = "prompt"
prompt = "memo"
variant = "far"
input = ["mood", "short"]

[[pipelines.facts.steps]]
name = "facts"
kind = "extract"
[pipelines.facts.steps.schema]
type = "object"
required = ["minutes"]
[pipelines.facts.steps.schema.properties.minutes]
type = "integer"
description = "minutes for which the glaze is stirred"

[[pipelines.number.steps]]
name = "sum"
kind = "function"
function = "calculator-calculate"
argument = "expression"
"""
DOCUMENTS = {
    "kiln.md": "# Kiln K2\n\nThe kiln K2 is fired at 1,240 °C for nine hours.\n",
    "glaze.md": "# Glaze\n\nGlaze G-7 is stirred for 20 minutes before use.\n",
    "pay.md": "# Pay\n\nThe pay of Aoki is 4,711 euros a month.\n",
}
MEMO = """<message role="system">You write a memo of one sentence.</message>
<message role="user">{{$text}}

Write the memo.</message>"""


@pytest.fixture(scope="package")
def stub() -> Iterator[Stub]:
    with served() as running:
        yield running


@pytest.fixture(scope="package")
def translator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_translator(tmp_path_factory.mktemp("translator"))


@pytest.fixture(scope="package")
def settings(
    stub: Stub,
    translator: Path,
    small_base: Path,
    model_store: ModelStore,
    tmp_path_factory: pytest.TempPathFactory,
) -> Settings:
    root = tmp_path_factory.mktemp("pipelines")
    memo = root / "prompts" / "memo"
    memo.mkdir(parents=True)
    (memo / "skprompt.txt").write_text(MEMO, encoding="utf-8")
    (memo / "config.json").write_text(
        '{"schema": 1, "type": "completion", "description": "A memo.", "input_variables": [{"name": "text", '
        '"description": "a text", "is_required": true}]}'
    )
    return own_settings(root, model_store, TABLES.format(address=stub.url, model=translator, base=small_base))


@pytest.fixture(scope="package")
def tekio(settings: Settings) -> Iterator[Tekio]:
    root = settings.index.parent
    for name, text in DOCUMENTS.items():
        (root / name).write_text(text, encoding="utf-8")
    app = Tekio(settings)
    app.ingest([root / "kiln.md", root / "glaze.md"])
    app.ingest([root / "pay.md"], access=access("aoki", []))
    yield app
    app.close()


@pytest.fixture(autouse=True)
def fresh(stub: Stub) -> None:
    stub.calls.clear()
    stub.script = lambda call: call.write("Bonjour.")


def own_settings(root: Path, model_store: ModelStore, tables: str) -> Settings:
    """Settings as a file has them, of which nothing lies outside a folder but the models."""
    import tomllib

    places = {name: root / name for name in ("index", "memory", "examples", "adapters", "uploads", "jobs")}
    return load_settings(
        **{**places, "prompts": [root / "prompts"], "cache": model_store.cache, **tomllib.loads(tables)}
    )

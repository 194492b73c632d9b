"""Semantic Kernel without Handlebars' grammar and OpenAI's client, until somebody uses them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_CODE = """
import asyncio, sys
from kernel.lean_import import lean_import
with lean_import():
    import semantic_kernel
assert "pybars" not in sys.modules
from semantic_kernel import Kernel
from semantic_kernel.exceptions.template_engine_exceptions import HandlebarsTemplateSyntaxError
from semantic_kernel.functions import KernelArguments
from semantic_kernel.prompt_template import HandlebarsPromptTemplate, PromptTemplateConfig

def template(text):
    config = PromptTemplateConfig(name="t", template=text, template_format="handlebars")
    return HandlebarsPromptTemplate(prompt_template_config=config)

print(asyncio.run(template("Hello {{name}}").render(Kernel(), KernelArguments(name="Aki"))))
import pybars
assert pybars.__file__
try:
    template("{{#each}")
except HandlebarsTemplateSyntaxError as error:
    print("told:", type(error).__name__)
"""

_CLIENT = """
import sys
from kernel.lean_import import lean_import
with lean_import():
    import semantic_kernel
assert "openai" not in sys.modules and "openai.types" not in sys.modules
from semantic_kernel.connectors.ai.completion_usage import CompletionUsage
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion
import openai
from openai.types import CompletionUsage as Theirs
from openai.types.completion_usage import PromptTokensDetails
service = OpenAIChatCompletion(ai_model_id="m", api_key="k")
assert isinstance(service.client, openai.AsyncOpenAI)
given = Theirs(prompt_tokens=3, completion_tokens=4, total_tokens=7,
               prompt_tokens_details=PromptTokensDetails(cached_tokens=2))
read = CompletionUsage.from_openai(given)
print((read + read).prompt_tokens_details.cached_tokens)
"""


def _run(code: str) -> list[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_handlebars_still_works_where_somebody_uses_it() -> None:
    assert _run(_CODE) == ["Hello Aki", "told: HandlebarsTemplateSyntaxError"]


def test_openais_client_still_works_where_somebody_uses_it() -> None:
    assert _run(_CLIENT) == ["4"]


def test_a_question_does_without_them() -> None:
    code = (
        "import sys\nfrom kernel.lean_import import lean_import\n"
        "with lean_import():\n    from kernel.engine.engine import Engine\n"
        "spared = ['pybars', 'openai', 'torch', 'transformers', 'scipy', 'sklearn', 'kernel.policies.making']\n"
        "print([name for name in spared if name in sys.modules])"
    )
    assert _run(code) == ["[]"]


def test_what_asks_is_there_before_semantic_kernel_is_imported() -> None:
    code = (
        "import sys\nimport kernel.app\n"
        "slow = ['semantic_kernel', 'openai', 'openvino', 'torch', 'transformers', 'scipy', 'faiss']\n"
        "print([name for name in slow if name in sys.modules])"
    )
    assert _run(code) == ["[]"]

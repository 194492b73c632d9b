"""Semantic Kernel without the grammar of Handlebars, until a template of it is compiled."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_CODE = """
import asyncio, sys
from kernel.lean_import import handlebars_when_needed
with handlebars_when_needed():
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


def test_handlebars_still_works_where_somebody_uses_it() -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", _CODE], capture_output=True, text=True, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["Hello Aki", "told: HandlebarsTemplateSyntaxError"]


def test_a_question_does_without_it() -> None:
    code = (
        "import sys\nfrom kernel.lean_import import handlebars_when_needed\n"
        "with handlebars_when_needed():\n    from kernel.engine import Engine\n"
        "print([name for name in ('pybars', 'torch', 'transformers') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120
    )
    assert done.stdout.strip() == "[]", done.stderr

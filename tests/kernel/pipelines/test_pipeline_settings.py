"""What is wrong with a pipeline is told when the settings are read, in one line that names it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kernel.settings import Settings, load_settings
from retrieval.errors import UsageError

LABELS = 'labels = ["a", "b"]'


def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *steps: str, more: str = "") -> Settings:
    monkeypatch.chdir(tmp_path)
    tables = "\n".join(f"[[pipelines.p.steps]]\n{step}" for step in steps)
    (tmp_path / "tekio.toml").write_text(f"{more}\n{tables}\n", encoding="utf-8")
    return load_settings()


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (['name = "a"\nkind = "paint"'], "the step 'a' is of the kind 'paint'; there are translate, answer"),
        (['name = "a"\nkind = "summarise"\ninput = "b"'], "the step 'a' has 'b' as its input, which is no step"),
        (
            [
                'name = "a"\nkind = "summarise"\ninput = "c"',
                'name = "b"\nkind = "summarise"\ninput = "a"',
                'name = "c"\nkind = "summarise"\ninput = "b"',
            ],
            r"need each other in a circle: \w > \w > \w > \w",
        ),
        (['name = "a"\nkind = "summarise"\ninput = "a"'], "in a circle: a > a"),
        (['name = "a"\nkind = "summarise"'] * 2, "two steps are named 'a'"),
        (['name = "input"\nkind = "summarise"'], "a step cannot be named 'input'"),
        (['name = "a"\nkind = "summarise"\nvariant = "nobody"'], "'a' of the pipeline 'p' asks the variant 'nobody'"),
        (['name = "a"\nkind = "translate"'], "the step 'a' is of the kind translate: say its 'to'"),
        (['name = "a"\nkind = "translate"\nto = "Japanese"'], "translates to 'Japanese': say a code"),
        (['name = "a"\nkind = "summarise"\nlabels = ["x"]'], "of the kind summarise, which takes no 'labels'"),
        (['name = "a"\nkind = "classify"\nlabels = ["x"]'], "the step 'a' needs two labels"),
        (['name = "a"\nkind = "classify"\nlabels = ["x", "X"]'], "each another"),
        (
            [f'name = "a"\nkind = "classify"\n{LABELS}\n[pipelines.p.steps.examples]\na = ["one"]'],
            "give some for each of its labels",
        ),
        (
            [f'name = "a"\nkind = "classify"\n{LABELS}', 'name = "b"\nkind = "summarise"'],
            r"the step 'b' \(summarise\) takes a text, an answer or a list, but 'a' gives a label",
        ),
        (
            ['name = "a"\nkind = "extract"\n[pipelines.p.steps.schema]\ntype = "object"\n'
             '[pipelines.p.steps.schema.properties]\nx = {type = "string"}',
             'name = "b"\nkind = "translate"\nto = "en"'],
            r"the step 'b' \(translate\) takes .* but 'a' gives an object",
        ),
        (
            ['name = "a"\nkind = "answer"', 'name = "b"\nkind = "answer"'],
            r"the step 'b' \(answer\) takes a text, but 'a' gives an answer",
        ),
        (
            ['name = "a"\nkind = "summarise"', 'name = "b"\nkind = "translate"\nto = "en"\ninput = ["input", "a"]'],
            "which has one input, not several",
        ),
        (['name = "a"\nkind = "extract"\nschema = {type = "array"}'], "the step 'a' cannot be done: the schema"),
        (['name = "a"\nkind = "translate"\nfrom = "ja"\nto = "en"'], "needs ja, which the variant 'base' does not"),
        (['name = "a"\nkind = "translate"\nto = "en"\nvariant = "extractive"'], "needs a language model that writes"),
        (['name = "a"\nkind = "prompt"\nprompt = "memo"'], "the prompt function 'memo', which is in no folder"),
        (['name = "a"\nkind = "function"\nfunction = "shop-find"\nargument = "q"'], "calls 'shop-find', which is no"),
        (['name = "a"\nkind = "summarise"\nvariant = "p"'], "ask each other in a circle: p > p"),
        (['name = "a"\nkind = "summarise"\nlenght = 3'], "not permitted"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: list[str], said: str
) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        read(tmp_path, monkeypatch, *steps)
    assert "\n" not in str(raised.value)
    assert "tekio.toml" in str(raised.value)


def test_a_step_is_told_how_a_language_can_be_had_that_its_variant_does_not_speak(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = 'name = "a"\nkind = "translate"\nfrom = "ja"\nto = "en"\n'
    with pytest.raises(UsageError, match=r"name a `variant` or a `model` that does, or say `anyway = true`"):
        read(tmp_path, monkeypatch, step)
    read(tmp_path, monkeypatch, step + "anyway = true")
    read(tmp_path, monkeypatch, step + 'model = "owner/opus-ja-en"')
    other = '[variants.far]\nengine = "openai"\naddress = "http://127.0.0.1:9/v1"\nmodel = "m"\n'
    other += 'languages = ["en", "ja"]'
    read(tmp_path, monkeypatch, step + 'variant = "far"', more=other)


def test_steps_run_in_the_order_in_which_they_need_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = read(
        tmp_path,
        monkeypatch,
        'name = "last"\nkind = "summarise"\ninput = ["one", "two"]',
        'name = "one"\nkind = "summarise"\ninput = "two"',
        'name = "two"\nkind = "summarise"\ninput = "input"',
    )
    assert [step.name for step in settings.pipelines["p"].ordered] == ["two", "one", "last"]


def test_a_pipeline_is_a_variant_where_a_step_of_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = read(
        tmp_path,
        monkeypatch,
        'name = "a"\nkind = "summarise"',
        more='[[pipelines.q.steps]]\nname = "a"\nkind = "answer"',
    )
    assert settings.named_variants == ["q"]
    assert list(settings.composed) == ["q", "p"]


def test_the_examples_that_ship_can_be_read_those_within_comments_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = (Path(__file__).parents[3] / "data/pipelines.toml").read_text(encoding="utf-8")
    all_of_it = re.sub(r"^# (?=\[|[a-z_]+ = )", "", shipped, flags=re.MULTILINE)
    named = '[variants.NAME]\nengine = "openai"\naddress = "http://127.0.0.1:9/v1"\nmodel = "m"\n'
    settings = read(tmp_path, monkeypatch, more=f'{named}languages = ["en", "ja"]\n{all_of_it}')
    assert list(settings.pipelines) == ["sentiment", "japanese_sentiment", "via_english"]
    assert settings.named_variants == ["NAME", "via_english"]

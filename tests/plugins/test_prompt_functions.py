"""What the prompt shows, and how a draft is read back."""

from __future__ import annotations

import pytest

from plugins.prompt_functions import (
    LANGUAGES,
    SUB_QUESTIONS,
    PromptPassage,
    load_examples,
    load_prompt_plugins,
    plugin_name,
    render_examples,
    render_passages,
    split_reasoning,
    variables_of,
)
from retrieval.records import Passage

STEPPED = ("chain_of_thought", "hybrid")
PLAIN = ("zero_shot", "one_shot", "few_shot")


def passage(
    text: str = "Text.",
    title: str = "Manual",
    page: int | None = None,
    headings: tuple[str, ...] = (),
    number: int = 1,
    whole: str | None = None,
) -> PromptPassage:
    found = Passage(
        id=7,
        document_id=3,
        document="manual.pdf",
        path="/x/manual.pdf",
        title=title,
        page=page,
        start=0,
        end=len(whole or text),
        headings=headings,
        text=whole or text,
        score=1.0,
        rank=1,
        similarity=0.9,
    )
    return PromptPassage(number, found, text)


def test_passages_are_shown_in_their_order_with_their_number_and_place() -> None:
    shown = [passage("A\n\nb.", page=3, headings=("Care", "Oil"), number=2), passage("C.", number=1)]
    assert render_passages(shown, "en") == "[2] (Manual, Care, Oil, p. 3)\nA\n\nb.\n\n[1] (Manual)\nC."


def test_a_part_of_a_passage_is_shown_in_place_of_the_whole() -> None:
    assert render_passages([passage("Part.", whole="A whole. Part. More.")], "en") == "[1] (Manual)\nPart."


def test_a_page_is_written_in_the_language_of_the_prompt() -> None:
    assert render_passages([passage(page=3)], "ja") == "[1] (Manual, 3ページ)\nText."
    assert render_passages([passage(page=3)], "fr") == "[1] (Manual, p. 3)\nText."


def test_a_title_that_is_a_heading_too_is_shown_once() -> None:
    assert render_passages([passage(headings=("Manual", "Care"))], "en") == "[1] (Manual, Care)\nText."


def test_a_passage_without_a_place_has_no_empty_brackets() -> None:
    assert render_passages([passage(title="")], "en") == "[1]\nText."


def test_a_title_cannot_pose_as_another_passage() -> None:
    assert render_passages([passage(title="A)\n\n[2] (B")], "en").splitlines() == ["[1] (A) [2] (B)", "Text."]


def test_no_passages_are_no_text() -> None:
    assert render_passages([], "ja") == ""


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("technique", "count"), [("one_shot", 1), ("few_shot", 3), ("hybrid", 3)])
def test_a_technique_shows_its_number_of_examples_in_the_language(
    technique: str, count: int, language: str
) -> None:
    shown = render_examples(technique, language)
    question, steps, answer = (
        ("質問：", "手順：", "回答：") if language == "ja" else ("Question: ", "Steps: ", "Answer: ")
    )
    assert shown.count(question) == shown.count(answer) == count
    assert shown.count(steps) == (count if technique == "hybrid" else 0)
    examples = load_examples(language)[:count]
    assert all(
        f"{question}{item.question}" in shown and f"{answer}{item.answer}" in shown for item in examples
    )
    assert f"[1] {examples[0].passages[0]}\n[2] {examples[0].passages[1]}" in shown


@pytest.mark.parametrize("technique", ["zero_shot", "chain_of_thought"])
def test_other_techniques_show_no_example(technique: str) -> None:
    assert render_examples(technique, "en") == ""


@pytest.mark.parametrize("language", LANGUAGES)
def test_examples_cite_passages_that_they_show_and_one_of_them_refuses(language: str) -> None:
    examples = load_examples(language)
    cited = [{int(part[0]) for part in item.answer.split("[")[1:]} for item in examples]
    assert [bool(numbers) for numbers in cited] == [True, False, True]
    assert all(
        numbers <= set(range(1, len(item.passages) + 1))
        for item, numbers in zip(examples, cited, strict=True)
    )
    assert load_examples("fr") == load_examples("en")


@pytest.mark.parametrize("technique", STEPPED)
@pytest.mark.parametrize("language", LANGUAGES)
def test_an_example_is_read_back_as_it_was_shown(technique: str, language: str) -> None:
    for example, block in zip(
        load_examples(language), render_examples("hybrid", language).split("\n\n"), strict=True
    ):
        draft = "\n".join(block.splitlines()[-2:])
        assert split_reasoning(technique, draft) == (example.reasoning, example.answer)


@pytest.mark.parametrize("technique", STEPPED)
@pytest.mark.parametrize(
    ("draft", "steps", "answer"),
    [
        ("Steps: [1] says so.\nAnswer: It is 5 [1].", "[1] says so.", "It is 5 [1]."),
        ("手順：[1]にある。\n回答：5です[1]。", "[1]にある。", "5です[1]。"),
        ("手順: [1]にある。 回答: 5です[1]。", "[1]にある。", "5です[1]。"),
        ("[1] says so. Answer: It is 5 [1].", "[1] says so.", "It is 5 [1]."),
        ("Answer: It is 5 [1].", None, "It is 5 [1]."),
        ("回答：5です[1]。", None, "5です[1]。"),
        ("**Steps:** [1] says so.\n\n**Answer:** It is **5** [1].", "[1] says so.", "It is **5** [1]."),
        ("## Steps:\n[1] says so.\n## Answer:\n#5 [1].", "[1] says so.", "#5 [1]."),
        ("steps: so.\nANSWER： yes.", "so.", "yes."),
        ("Steps: The text has Answer: 4.\nAnswer: It is 5 [1].", "The text has Answer: 4.", "It is 5 [1]."),
        ("Answer: Answer: It is 5.", None, "It is 5."),
        (
            "Steps: so.\nAnswer: 5 [1].\n\nQuestion: And?\nAnswer: 6.",
            "so.",
            "5 [1].\n\nQuestion: And?\nAnswer: 6.",
        ),
    ],
)
def test_a_draft_is_split_at_its_answer(technique: str, draft: str, steps: str | None, answer: str) -> None:
    assert split_reasoning(technique, draft) == (steps, answer)


@pytest.mark.parametrize("technique", STEPPED)
@pytest.mark.parametrize(
    ("draft", "answer"),
    [
        ("It is 5 [1].", "It is 5 [1]."),
        ("ポンプは5台です[1]。", "ポンプは5台です[1]。"),
        ("Steps: [1] says 5.", "[1] says 5."),
        ("手順：[1]に5とある。", "[1]に5とある。"),
        ("Steps: [1] says 5.\nAnswer:", "[1] says 5."),
        ("手順：[1]に5とある。回答：", "[1]に5とある。"),
        ("", ""),
        ("Answer:", ""),
    ],
)
def test_a_draft_without_an_answer_is_all_answer(technique: str, draft: str, answer: str) -> None:
    assert split_reasoning(technique, draft) == (None, answer)


@pytest.mark.parametrize("technique", PLAIN)
@pytest.mark.parametrize(
    ("draft", "answer"),
    [
        (" It is 5 [1].\n", "It is 5 [1]."),
        ("Answer: It is 5 [1].", "It is 5 [1]."),
        ("回答：5です[1]。", "5です[1]。"),
        ("The sign reads Answer: 5.", "The sign reads Answer: 5."),
        ("Steps: 1. Open. 2. Close [1].", "Steps: 1. Open. 2. Close [1]."),
    ],
)
def test_other_techniques_have_no_steps(technique: str, draft: str, answer: str) -> None:
    assert split_reasoning(technique, draft) == (None, answer)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_prompt_that_splits_a_question_shows_the_question_alone_and_speaks_its_language(
    language: str,
) -> None:
    plugins = {plugin.name: plugin for plugin in load_prompt_plugins()}
    function = plugins[plugin_name(language)].functions[SUB_QUESTIONS]
    assert {each.name for each in function.parameters} == variables_of(SUB_QUESTIONS) == {"question"}
    shown = function.prompt_template.prompt_template_config.template  # type: ignore[attr-defined]
    assert shown.count("{{$question}}") == 1
    assert ("質問" in shown) == (language == "ja")

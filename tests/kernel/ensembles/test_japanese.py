"""Japanese answers of an ensemble: what says the same in other scripts and endings is one group, and is told so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from kernel.answer import Answer, EnsembleReport
from kernel.app import Tekio
from kernel.ensembles.clusters import grouped
from kernel.ensembles.election import Elector
from kernel.ensembles.wording import explained
from kernel.model_store import ModelStore
from kernel.settings import Settings
from retrieval.access import PUBLIC
from tests.kernel.ensembles.made import answer, no_vectors, told, voices
from tests.kernel.remote.stub_server import Call, Stub, served

HOT = "窯 K2 は何度で焼成しますか。"
KILN = "# 窯 K2\n\n窯 K2 は 1,240 ℃で 9 時間焼成します。扉は 90 ℃を下回るまで開けません。\n"
GLAZE = "# 釉薬\n\n釉薬 G-7 は使用前に 20 分間かき混ぜます。棚 C に保管します。\n"


def groups_of(question: str, *texts: str) -> list[int]:
    return grouped([answer(text) for text in texts], question, same_meaning=0, embed=no_vectors)


@pytest.mark.parametrize(
    ("question", "same", "other"),
    [
        (
            HOT,
            [
                "窯 K2 は 1,240 ℃で焼成します [1]。",
                "窯K2は１２４０度で焼成する。",
                "1240℃です。",
                "千二百四十度である [2]。",
                "１，２４０ ℃ で焼成されます。",
            ],
            "980 ℃で焼成します。",
        ),
        (
            "釉薬はどのくらいかき混ぜますか。",
            ["20分間かき混ぜます。", "二十分間です。", "２０分である。"],
            "20時間かき混ぜます。",
        ),
        (
            "釉薬はどこに保管しますか。",
            ["棚Cに保管します。", "棚Ｃである。", "棚Cです [1]。", "棚 c に保管する。"],
            "地下室に保管します。",
        ),
        (
            "担当者は誰ですか。",
            ["ﾀﾅｶさんが担当します。", "タナカさんです。", "担当はタナカである。"],
            "サトウさんです。",
        ),
        (
            "扉は開けてもよいですか。",
            ["扉を開けてはいけません。", "開けてはいけない。"],
            "開けても構いません。",
        ),
    ],
)
def test_what_says_the_same_in_other_scripts_and_endings_is_one_group(
    question: str, same: Sequence[str], other: str
) -> None:
    assert groups_of(question, *same, other) == [0] * len(same) + [1]


def test_what_a_question_names_does_not_tell_answers_apart_unless_it_is_what_is_chosen_between() -> None:
    assert groups_of(
        "窯 K2 と窯 K3 のどちらが熱いですか。", "窯 K2 です。", "窯 K3 です。", "K2である。"
    ) == [0, 1, 0]
    both = "K2 と K3 のどちらが 1,240 ℃で焼成しますか。"
    assert groups_of(both, "K2 は 1,240 ℃です。", "K3 は 1240℃です。", "Ｋ２が１２４０度である。") == [
        0,
        1,
        0,
    ]
    english = "At what temperature is the kiln K2 fired?"
    assert groups_of(english, "The kiln K2 is fired at 1,240 °C.", "At 1240 °C.", "At 980 °C.") == [0, 0, 1]


def test_refusals_in_either_language_are_one_group_and_no_answer() -> None:
    refused = [answer(refused=True), answer("分かりません。"), answer("1,240 ℃です。")]
    assert grouped(refused, HOT, same_meaning=0, embed=no_vectors) == [0, 0, 1]


def test_a_vote_over_japanese_answers_is_counted_and_explained_in_japanese() -> None:
    said = [
        answer("980 ℃です。", score=0.95),
        answer("窯 K2 は１，２４０度で焼成する。", score=0.7),
        answer("1240℃である。", score=0.8),
    ]
    elected = Elector(told("majority", 3), no_vectors).elect(voices(*said), HOT)
    assert (elected.place, elected.groups, elected.tie) == (2, [0, 1, 1], [])
    text = explained("majority", "ja", chosen="m2", same=2, heard=3, tie=elected.tie)
    assert text == "多数決：m2の回答を採用しました（3件の回答のうち2件が同じ内容です）。"


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    with served() as running:
        yield running


@pytest.fixture(scope="module")
def tekio(stub: Stub, model_store: ModelStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tekio]:
    place = tmp_path_factory.mktemp("japanese")
    (place / "docs").mkdir()
    (place / "docs" / "kiln.md").write_text(KILN, encoding="utf-8")
    (place / "docs" / "glaze.md").write_text(GLAZE, encoding="utf-8")
    far = {"engine": "openai", "address": stub.url, "retries": 0, "languages": ["ja", "en"]}
    app = Tekio(
        Settings(
            index=place / "index",
            memory=place / "memory",
            adapters=place / "adapters",
            cache=model_store.cache,
            answer_cache=False,
            variants={name: far | {"model": name} for name in ("polite", "plain", "wrong")},
            ensembles={
                "three": {"members": ["wrong", "polite", "plain"]},
                "quoted": {"members": ["extractive", "polite", "wrong"], "rule": "borda"},
            },
        )
    )
    app.ingest([place / "docs"], access=PUBLIC)
    yield app
    app.close()


@pytest.fixture(autouse=True)
def script(request: pytest.FixtureRequest) -> None:
    if "tekio" not in request.fixturenames:
        return
    texts = {
        "polite": "窯 K2 は 1,240 ℃で 9 時間焼成します [1]。",
        "plain": "窯Ｋ２は１２４０度で九時間焼成する [1]。",
        "wrong": "扉は 90 ℃を下回るまで開けません [1]。",
    }

    def write(call: Call) -> None:
        call.write(texts[call.body["model"]])

    request.getfixturevalue("stub").script = write


def report_of(given: Answer) -> EnsembleReport:
    assert given.ensemble is not None
    return given.ensemble


async def test_japanese_answers_of_servers_are_clustered_voted_and_named_in_japanese(tekio: Tekio) -> None:
    found = await tekio.ask(HOT, variant="three")
    wrong, polite, plain = report_of(found).members
    assert [wrong.answered_by, polite.answered_by, plain.answered_by] == ["wrong", "polite", "plain"]
    assert polite.group == plain.group != wrong.group
    assert found.answer in (polite.answer, plain.answer)
    assert found.language == "ja"
    assert "多数決" in report_of(found).explanation
    assert "3件の回答のうち2件が同じ内容" in report_of(found).explanation


async def test_quotations_agree_with_a_written_japanese_answer(tekio: Tekio) -> None:
    found = await tekio.ask(HOT, variant="quoted")
    quoted, polite, wrong = report_of(found).members
    assert quoted.group == polite.group != wrong.group
    assert "1,240" in found.answer
    assert "ボルダ方式" in report_of(found).explanation


async def test_a_member_that_fails_is_named_in_japanese(tekio: Tekio, stub: Stub) -> None:
    write = stub.script

    def fail(call: Call) -> None:
        if call.body["model"] == "wrong":
            call.error(400, "no such model")
        else:
            write(call)

    stub.script = fail
    found = await tekio.ask(HOT, variant="three")
    assert report_of(found).members[0].error
    assert any(notice.startswith("メンバー wrong は回答しませんでした") for notice in found.notices)

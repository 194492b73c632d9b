"""What counts as the same question in other words: never one whose answer could be another."""

import pytest

from kernel.similar_questions import same_matter


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How long is the warranty?", "how long is the Warranty"),
        ("What is the dose for adults?", "What's the dose for adults?"),
        ("釉薬G-7は何度で保管しますか。", "釉薬 G-7 は何度で保管しますか?"),
        ("釉薬G-7は何度で保管するか。", "釉薬G-7は何度で保管しますか。"),
        ("保証期間は何年ですか", "保証期間は何年でしょうか。"),
    ],
)
def test_politeness_spelling_and_marks_do_not_count(one: str, other: str) -> None:
    assert same_matter(one, other)
    assert same_matter(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Is a dose of 5 mg allowed?", "Is a dose of 50 mg allowed?"),
        ("Can the kiln be opened?", "Can the kiln not be opened?"),
        ("Who may open the kiln?", "Who must open the kiln?"),
        ("Who opens the kiln?", "When opens the kiln?"),
        ("What is the dose for adults?", "What is the dose for children?"),
        ("What is the dose before surgery?", "What is the dose after surgery?"),
        ("Does Aoki report to Mori?", "Does Mori report to Aoki?"),
        ("How is glaze G-7 stirred?", "How is glaze G-8 stirred?"),
        ("How many days at most?", "How many days at least?"),
        ("MRIは予約できますか", "MRIは予約できませんか"),
        ("この薬は併用できる", "この薬は併用できない"),
        ("5mgを投与してよいか", "50mgを投与してよいか"),
        ("東京本社の定休日はいつですか", "大阪本社の定休日はいつですか"),
        ("手術前の投与量は", "手術後の投与量は"),
        ("何日以内に返却しますか", "何日以上返却しませんか"),
        ("開始は何時からですか", "開始は何時までですか"),
    ],
)
def test_what_could_change_the_answer_counts(one: str, other: str) -> None:
    assert not same_matter(one, other)

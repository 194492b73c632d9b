"""What kind of question one is."""

from __future__ import annotations

import pytest

from kernel.ensembles.kinds import kind_of_question


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Is a deposit required?", "yes_no"),
        ("According to the handbook, may staff work from abroad?", "yes_no"),
        ("Do you know when the office opens?", "yes_no"),
        ("有給休暇は翌年に繰り越せますか？", "yes_no"),
        ("副業は禁止されているのですか。", "yes_no"),
        ("How many days of paid leave are there?", "number"),
        ("When was the bridge opened?", "number"),
        ("In which year did it close?", "number"),
        ("What is the maximum operating temperature?", "number"),
        ("有給休暇は何日ですか？", "number"),
        ("橋はいつ開通しましたか", "number"),
        ("交換の頻度は？", "number"),
        ("Who approves travel expenses?", "name"),
        ("Where is the main valve?", "name"),
        ("Which form must be filled in?", "name"),
        ("出張を承認するのは誰ですか？", "name"),
        ("書類はどこに提出しますか？", "name"),
        ("Why does the pump stop?", "reason"),
        ("How do I reset the alarm?", "reason"),
        ("なぜポンプが止まるのですか？", "reason"),
        ("警報はどのように解除しますか？", "reason"),
        ("What are the requirements for a visa?", "list"),
        ("List the parts of the kit.", "list"),
        ("必要な書類をすべて挙げてください。", "list"),
        ("どのような手当がありますか？", "list"),
        ("What is a torque wrench?", "other"),
        ("What happens when the pump stops?", "other"),
        ("トルクレンチとは何ですか？", "other"),
        ("torque wrench", "other"),
        ("", "other"),
    ],
)
def test_the_kind_of_a_question_is_known_by_its_words(question: str, kind: str) -> None:
    assert kind_of_question(question) == kind

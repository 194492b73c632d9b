import numpy as np

from retrieval.ranking import DEFAULT_WEIGHTS
from retrieval.weights import Trial, learn_weights, pseudo_question


def trials(count: int, **good: bool) -> list[Trial]:
    """Questions in which a good leg puts the right candidate first nearly always, a bad one by chance."""
    random = np.random.default_rng(7)
    made = []
    for _ in range(count):
        legs = {}
        for name in DEFAULT_WEIGHTS:
            scores = random.random(40).astype(np.float32)
            if good.get(name, True) and random.random() < 0.95:
                scores[3] = 1.2
            legs[name] = scores
        made.append(Trial(legs, 3))
    return made


def test_a_leg_that_understands_nothing_loses_its_weight() -> None:
    weights, quality = learn_weights(trials(100, dense=False, late=False), DEFAULT_WEIGHTS)
    assert weights["keyword"] > 0
    assert weights["dense"] == weights["late"] == 0
    assert quality["learned"] >= max(quality["keyword"], quality["usual"])


def test_good_legs_keep_the_usual_weights() -> None:
    weights, _ = learn_weights(trials(100), DEFAULT_WEIGHTS)
    assert weights == DEFAULT_WEIGHTS


def test_a_few_questions_change_nothing() -> None:
    weights, quality = learn_weights(trials(10, dense=False), DEFAULT_WEIGHTS)
    assert (weights, quality) == (dict(DEFAULT_WEIGHTS), {})


def test_a_made_up_question_is_half_of_the_words_of_a_sentence() -> None:
    text = "The quick valve of the cooling pump is cleaned every morning by the operator."
    question = pseudo_question(text, random=0)
    assert question.split()[0] == "quick"
    assert set(question.split()) < set(text.lower().strip(".").split())
    assert pseudo_question("短い。", random=0) == ""

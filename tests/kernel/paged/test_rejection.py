"""With guesses of a smaller model, however bad, tokens are distributed as the larger model alone would write them."""

from __future__ import annotations

import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from kernel.chat.generation import Sampling
from kernel.chat.paged.choosing import Chooser
from kernel.chat.paged.drafting import Drafter
from kernel.chat.paged.rejection import Guess, acceptance, holding, left_over
from kernel.chat.paged.request import Request
from kernel.chat.paged.scheduler import Scheduler
from kernel.chat.paged.step import Row

WANTED = np.array([0.5, 0.3, 0.15, 0.05])
OTHERS = (
    np.array([0.1, 0.2, 0.3, 0.4]),
    np.array([0.0, 0.0, 0.0, 1.0]),
    np.array([0.5, 0.3, 0.15, 0.05]),
    np.array([0.7, 0.0, 0.3, 0.0]),
)
WORDS = 8
SAMPLES = 1500


def written_shares(wanted: NDArray[np.float64], guessed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how likely each token is written, over all guesses and both outcomes of each."""
    holds = holding(wanted, guessed)
    found = guessed * holds
    return found + float((guessed * (1 - holds)).sum()) * left_over(wanted, guessed)


@pytest.mark.parametrize("guessed", OTHERS)
def test_over_all_guesses_and_outcomes_a_token_is_as_likely_as_the_target_has_it(
    guessed: NDArray[np.float64],
) -> None:
    np.testing.assert_allclose(written_shares(WANTED, guessed), WANTED, atol=1e-12)


def test_over_all_branches_of_two_guesses_each_text_is_as_likely_as_the_target_has_it() -> None:
    """Three words, two guesses ahead and a third token behind them: every branch of the algorithm is walked."""
    drawn = np.random.default_rng(5)
    target = {key: drawn.dirichlet(np.ones(3)) for size in range(3) for key in _texts(size)}
    draft = {key: drawn.dirichlet(np.ones(3)) for size in range(3) for key in _texts(size)}
    found: defaultdict[tuple[int, ...], float] = defaultdict(float)
    for guesses in _texts(2):
        drawn_with = float(draft[()][guesses[0]] * draft[guesses[:1]][guesses[1]])
        for text, share in _outcomes(target, draft, guesses):
            found[text] += drawn_with * share
    for text in _texts(3):
        alone = np.prod([target[text[:place]][text[place]] for place in range(3)])
        assert found[text] == pytest.approx(alone, abs=1e-12)


Model = dict[tuple[int, ...], NDArray[np.float64]]


def _texts(size: int) -> list[tuple[int, ...]]:
    return list(itertools.product(range(3), repeat=size))


def _outcomes(
    target: Model, draft: Model, guesses: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], float]]:
    """Yield each text of three tokens that may come of guesses, and how likely; what is left is written alone."""
    held = 1.0
    for place, guess in enumerate(guesses):
        before = guesses[:place]
        holds = float(holding(target[before], draft[before])[guess])
        instead = left_over(target[before], draft[before])
        for other in range(3):
            yield from _alone(target, (*before, other), held * (1 - holds) * float(instead[other]))
        held *= holds
    yield from _alone(target, guesses, held)


def _alone(target: Model, begun: tuple[int, ...], share: float) -> Iterator[tuple[tuple[int, ...], float]]:
    if len(begun) == 3:
        yield begun, share
        return
    for token in range(3):
        yield from _alone(target, (*begun, token), share * float(target[begun][token]))


def test_as_many_guesses_hold_as_the_distributions_share() -> None:
    for guessed in OTHERS:
        assert acceptance(WANTED, guessed) == pytest.approx(float((guessed * holding(WANTED, guessed)).sum()))


def test_a_chooser_that_judges_guesses_samples_as_one_that_does_not() -> None:
    logits, other = np.log(WANTED), np.log(OTHERS[0])
    chooser = Chooser(Sampling(temperature=1.3, top_p=0.9, seed=2), sampled_guesses=True)
    counted: Counter[int] = Counter()
    held = 0
    for _ in range(6000):
        guess = chooser.guess(other)
        token = chooser.choose(logits, [], guess)
        counted[token] += 1
        held += token == guess.token
    wanted = chooser.shares(logits)
    assert 0.5 * sum(abs(counted[token] / 6000 - share) for token, share in enumerate(wanted)) < 0.02
    assert held / 6000 == pytest.approx(acceptance(wanted, chooser.shares(other)), abs=0.02)


def test_a_draft_that_has_fewer_words_changes_nothing_either() -> None:
    chooser = Chooser(Sampling(temperature=1.0, seed=3), sampled_guesses=True)
    few = np.log(np.array([0.2, 0.8]))
    counted = Counter(chooser.choose(np.log(WANTED), [], chooser.guess(few)) for _ in range(6000))
    assert 0.5 * sum(abs(counted[token] / 6000 - share) for token, share in enumerate(WANTED)) < 0.02


def test_with_a_seed_or_without_temperature_guesses_are_the_likeliest_tokens() -> None:
    for sampling in (Sampling(), Sampling(temperature=1.0, seed=1)):
        guess = Chooser(sampling).guess(np.log(WANTED))
        assert (guess.token, guess.shares) == (0, None)
    assert Chooser(Sampling(temperature=1.0)).guess(np.log(WANTED)).shares is not None


def test_a_guess_that_was_looked_up_changes_no_token() -> None:
    def drawn(guess: Guess | None) -> list[int]:
        chooser = Chooser(Sampling(temperature=1.0, seed=4))
        return [chooser.choose(np.log(WANTED), [], guess) for _ in range(30)]

    assert drawn(None) == drawn(Guess(2))


def make_words(folder: Path, *, seed: int) -> Path:
    """Make a model of eight words and one layer, whose guesses are far from another seed's."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=WORDS,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=64,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        model.lm_head.weight.mul_(12)  # else all words are about as likely
    model.save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text("utf-8"))["vocab_size"] == WORDS
    return folder


def test_what_an_engine_with_a_draft_samples_is_distributed_as_its_model_alone(tmp_path: Path) -> None:
    """A chi-square test over the three-token answers of 1,500 seeded requests, against exact probabilities."""
    from scipy.stats import chisquare

    from kernel.chat.paged.model import PagedModel

    target = PagedModel(
        make_words(tmp_path / "target", seed=1),
        precision="float32",
        threads=1,
        cache_mb=1,
        kv_precision="f32",
    )
    draft = PagedModel(
        make_words(tmp_path / "draft", seed=2), precision="float32", threads=1, cache_mb=1, kv_precision="f32"
    )
    prompt = [1, 2, 3, 4]
    expected = _exact(target, prompt)
    scheduler = Scheduler(target, slots=8, queue=8, drafter=Drafter(draft))
    counted: Counter[tuple[int, ...]] = Counter()
    try:
        for seed in range(SAMPLES):
            sampling = Sampling(max_new_tokens=3, temperature=1.0, seed=seed)
            request = Request(
                [*prompt],
                4,
                sampling,
                (),
                str,
                Chooser(sampling, sampled_guesses=True),
                most_guessed=2,
                steady=True,
            )
            scheduler.submit(request)
            request.future.result(60)
            counted[tuple(request.ids[4:])] += 1
        state = scheduler.state()
    finally:
        scheduler.close()
    assert 0 < state.accepted_tokens < state.drafted_tokens, "both outcomes have to have happened"
    likely = [text for text, share in expected.items() if share * SAMPLES >= 5]
    rest = 1 - sum(expected[text] for text in likely)
    seen = [*(counted[text] for text in likely), SAMPLES - sum(counted[text] for text in likely)]
    wanted = [*(expected[text] * SAMPLES for text in likely), rest * SAMPLES]
    assert chisquare(seen, wanted).pvalue > 1e-3
    first = np.array([sum(n for text, n in counted.items() if text[0] == word) for word in range(WORDS)])
    alone = np.array([sum(p for text, p in expected.items() if text[0] == word) for word in range(WORDS)])
    assert 0.5 * np.abs(first / SAMPLES - alone).sum() < 0.05, "total variation of the first token"


def _exact(model: object, prompt: Sequence[int]) -> dict[tuple[int, ...], float]:
    """Return how likely each text of three tokens is, by the model's own logits."""
    from kernel.chat.paged.model import PagedModel

    assert isinstance(model, PagedModel)
    chooser = Chooser(Sampling(temperature=1.0))
    found: dict[tuple[int, ...], float] = {(): 1.0}
    for _ in range(3):
        longer: dict[tuple[int, ...], float] = {}
        for text, share in found.items():
            logits = model.run([Row([*prompt, *text], 0, [0])])[0][0]
            for token, own in enumerate(chooser.shares(logits)):
                longer[*text, token] = share * float(own)
        found = longer
    return found

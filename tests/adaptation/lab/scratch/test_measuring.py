from __future__ import annotations

import math

import pytest
import torch

from adaptation.lab.scratch.architectures import shape_of
from adaptation.lab.scratch.collating import collator_of, scored
from adaptation.lab.scratch.measuring import Calibration, measure
from adaptation.lab.scratch.recipe import Architecture, Kind, Training
from adaptation.lab.scratch.training import new_model
from adaptation.lab.scratch.windows import Window

TOKENS = 40


def windows(count: int, size: int = 16) -> list[Window]:
    """Return windows of tokens at random."""
    torch.manual_seed(0)
    rows = torch.randint(4, TOKENS, (count, size)).tolist()
    return [Window(tuple(row), size * place, (place, place)) for place, row in enumerate(rows)]


def model_of(kind: Kind, *, dropout: float = 0.5) -> torch.nn.Module:
    """Return a tiny model that is learning."""
    model: torch.nn.Module = new_model(
        Architecture(kind=kind, positions=64), shape_of("nano"), TOKENS, Training(dropout=dropout)
    )
    return model.train()


@pytest.mark.parametrize("kind", ["decoder", "encoder-decoder"])
def test_the_measured_loss_is_the_model_s_own_over_the_scored_tokens(kind: Kind) -> None:
    model, rows, collator = model_of(kind), windows(5), collator_of(kind, None)
    found = measure(model, rows, kind, collator, batch=2)
    assert model.training, "it is left as it was"
    with torch.no_grad():
        own = float(model.eval()(**collator(rows)).loss)
    assert found.loss == pytest.approx(own, abs=1e-4)
    assert found.tokens == sum(len(scored(kind, window)) for window in rows)
    assert found.perplexity == pytest.approx(math.exp(own), rel=1e-3)


def test_what_is_read_before_a_window_is_not_scored() -> None:
    model, collator = model_of("decoder", dropout=0.0), collator_of("decoder", None)
    plain = windows(3)
    behind = [window.with_before([5, 6, 7]) for window in plain]
    assert measure(model, plain, "decoder", collator, batch=3).tokens == 3 * 15
    assert measure(model, behind, "decoder", collator, batch=3).tokens == 3 * 15
    mixed = [behind[0], plain[1]]  # of two lengths, so that one is padded
    found = measure(model, mixed, "decoder", collator, batch=2)
    parts = [measure(model, [window], "decoder", collator, batch=1).loss for window in mixed]
    assert found.loss == pytest.approx(sum(parts) / 2, abs=1e-5), "padding changes nothing"


def test_dropout_of_a_decoder_counts_in_learning_only_and_is_in_no_file(tmp_path: object) -> None:
    model, collator = model_of("decoder"), collator_of("decoder", None)
    batch = collator(windows(2))
    with torch.no_grad():
        learning = [float(model(**batch).loss) for _ in range(2)]
        model.eval()
        using = [float(model(**batch).loss) for _ in range(2)]
    assert learning[0] != learning[1]
    assert using[0] == using[1]
    assert set(model.state_dict()) == set(model_of("decoder", dropout=0.0).state_dict())


def test_the_masks_of_an_encoder_are_drawn_by_the_seed_and_change_nothing_else() -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    from adaptation.lab.scratch.tokenizing import SPECIAL, as_transformers

    words = {token: place for place, token in enumerate([*SPECIAL, *map(str, range(4, TOKENS))])}
    tokenizer = as_transformers(Tokenizer(WordLevel(words, unk_token="<unk>")), 64)
    model, collator = model_of("encoder"), collator_of("encoder", tokenizer)
    rows = windows(6)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    one, other = (measure(model, rows, "encoder", collator, batch=3, seed=2) for _ in range(2))
    assert one == other
    assert torch.equal(torch.rand(3), expected)
    assert measure(model, rows, "encoder", collator, batch=3, seed=3) != one


class Sure(torch.nn.Module):
    """Gives one token nine tenths, whatever stands before it."""

    device = torch.device("cpu")

    def forward(self, input_ids: torch.Tensor) -> object:
        """Return the logits."""
        logits = torch.full((*input_ids.shape, TOKENS), math.log(0.1 / (TOKENS - 1)))
        logits[..., 4] = math.log(0.9)

        class Output:
            pass

        output = Output()
        output.logits = logits  # type: ignore[attr-defined]
        return output


def test_a_model_that_is_surer_than_it_is_right_is_told() -> None:
    rows = [Window((4, 4, 5, 4, 5), 0, (0, 0))]  # of four scored tokens two are what it says
    found = measure(Sure(), rows, "decoder", collator_of("decoder", None), batch=1).calibration
    assert found.confidence == pytest.approx(0.9, abs=1e-5)
    assert found.accuracy == pytest.approx(0.5)
    assert found.error == pytest.approx(0.4, abs=1e-5)
    assert "over-confident" in found.signs()[0]
    assert "90%" in found.signs()[0]
    assert not Calibration(0.02, 0.52, 0.5, ()).signs()

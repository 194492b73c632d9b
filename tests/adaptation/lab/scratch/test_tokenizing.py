from __future__ import annotations

from pathlib import Path

import pytest

from adaptation.lab.scratch.collecting import Text, collect
from adaptation.lab.scratch.tokenizing import SPECIAL, as_transformers, best, fits, train_tokenizer
from retrieval.errors import UsageError
from tests.adaptation.lab.small_corpus import write_corpus


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> list[Text]:
    return collect([write_corpus(tmp_path_factory.mktemp("texts") / "corpus")], lambda text: None)


@pytest.mark.parametrize("kind", ["bpe", "sentencepiece"])
@pytest.mark.parametrize(
    "text", ["The pump.\n\nNext line  here", "点検の記録、龘 🙂", " led", "a <end> <0x41>"]
)
def test_any_text_is_spelled_without_loss(kind: str, text: str, texts: list[Text]) -> None:
    tokenizer = train_tokenizer(kind, [each.text for each in texts], 1600)
    assert [tokenizer.token_to_id(token) for token in SPECIAL] == [0, 1, 2, 3]
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert tokenizer.decode(ids) == text
    assert not set(ids) & {0, 1, 2, 3}


def test_tokenizers_are_held_against_each_other_by_language(texts: list[Text]) -> None:
    trained = {
        kind: train_tokenizer(kind, [each.text for each in texts], 1600) for kind in ("bpe", "sentencepiece")
    }
    found = fits(trained, texts)
    assert {(fit.tokenizer, fit.language) for fit in found} == {
        (kind, language) for kind in trained for language in ("en", "ja")
    }
    for fit in found:
        assert fit.bytes_a_token > 1.5
    needed = {kind: sum(1 / fit.bytes_a_token for fit in found if fit.tokenizer == kind) for kind in trained}
    assert best(found) == min(needed, key=needed.__getitem__)


def test_a_vocabulary_without_room_for_the_characters_is_refused(texts: list[Text]) -> None:
    with pytest.raises(UsageError, match=r"no room: tokenizer.size is at least [\d,]+"):
        train_tokenizer("sentencepiece", [each.text for each in texts], 300)


def test_a_kept_tokenizer_reads_and_ends_as_the_one_that_was_trained(
    tmp_path: Path, texts: list[Text]
) -> None:
    from kernel.chat.chat_tokens import ChatTokenizer

    trained = train_tokenizer("bpe", [each.text for each in texts], 500)
    as_transformers(trained, 128).save_pretrained(tmp_path)
    kept = ChatTokenizer(tmp_path)
    assert kept.stop_ids == [1]
    said = kept.encode_chat([{"role": "user", "content": "the pump <end>"}])
    assert kept.decode(said) == "the pump <end>\n\n"
    assert 1 not in said

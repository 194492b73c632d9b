"""Models that threads load at the same time are whole, and so is every one after them."""

import ast
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from kernel.chat.quantised import load_causal

ROOT = Path(__file__).parents[2]
BUILDERS = {"from_pretrained", "from_config"}
CLASSES = {"SentenceTransformer", "CrossEncoder"}


@pytest.fixture(scope="module")
def tied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose head is its words, so that its file holds no head."""
    folder = tmp_path_factory.mktemp("tied")
    config = LlamaConfig(
        vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2
    )
    config.tie_word_embeddings = True
    LlamaForCausalLM(config).save_pretrained(str(folder))
    return folder


def test_models_that_are_loaded_at_once_have_their_heads_and_leave_transformers_as_it_was(tied: Path) -> None:
    ties = PreTrainedModel.tie_weights
    heads: list[str] = []

    def load(start: threading.Barrier) -> None:
        start.wait()
        heads.append(load_causal(tied, dtype=torch.float32).lm_head.weight.device.type)

    try:
        for _ in range(12):
            start = threading.Barrier(4)
            threads = [threading.Thread(target=load, args=(start,)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        left = PreTrainedModel.tie_weights
    finally:
        setattr(PreTrainedModel, "tie_weights", ties)  # noqa: B010  # else a failure here makes all tests after it fail
    assert heads == ["cpu"] * 48
    assert left is ties


def _calls(tree: ast.AST, in_turn: bool = False) -> Iterator[tuple[ast.Call, bool]]:
    for node in ast.iter_child_nodes(tree):
        held = in_turn or (
            isinstance(node, ast.With) and any("building_in_turn" in ast.unparse(item) for item in node.items)
        )
        if isinstance(node, ast.Call):
            yield node, held
        yield from _calls(node, held)


def _builds(call: ast.Call) -> bool:
    """Whether a call builds a model: by transformers, or by sentence-transformers from a folder."""
    if isinstance(call.func, ast.Name):
        return call.func.id in CLASSES and bool(call.args)
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in BUILDERS:
        return False
    of = ast.unparse(call.func.value)
    return not of.endswith(("Config", "AutoTokenizer")) and not of.startswith("Peft")


def test_every_model_is_built_in_turn() -> None:
    built, alone = 0, []
    for room in ("retrieval", "ingest", "plugins", "kernel", "adaptation", "ui"):
        for file in sorted((ROOT / room).rglob("*.py")):
            for call, in_turn in _calls(ast.parse(file.read_text("utf-8"))):
                if _builds(call):
                    built += 1
                    if not in_turn:
                        alone.append(f"{file.relative_to(ROOT)}:{call.lineno}")
    assert built > 15
    assert not alone

"""A model in, a pruned one out: what counts is seen, the rest is taken out, what is left is healed.

Importing this imports nothing heavy; the functions import torch and transformers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adaptation.finetuning.encoding import Encoded
from adaptation.lab.held_rows import learned_and_held, losses_of, perplexity
from adaptation.lab.models import LabCard, check_model_name, keep_model, read_card
from adaptation.lab.pruning.plan import PrunePlan
from adaptation.lab.work_folder import digest_of, working
from kernel.chat.adapters import base_fingerprint
from kernel.chat.chat_tokens import ChatTokenizer
from retrieval.errors import UsageError

if TYPE_CHECKING:
    from adaptation.finetuning.watching import Progress
    from adaptation.lab.pruning.seeing import Seen


def prune_model(
    folder: Path,
    out: Path,
    plan: PrunePlan,
    *,
    resume: bool = False,
    force: bool = False,
    say: Callable[[str], None] = lambda text: None,
    show: Callable[[Progress], None] | None = None,
) -> LabCard:
    """Prune a model, heal it if the plan says so, and keep it as a model of the lab; return its card.

    Its figures hold the held-out loss and perplexity of the model as it was (`whole`), `pruned`, and `healed`, and a
    comparison of each two by the same rows; `keep_figures` adds those of memory and speed.

    Args:
        folder: of the model, as transformers reads it, with its tokenizer and chat template.
        out: of the pruned one; its name is the variant's.
        plan: how.
        resume: go on with a healing that was stopped; it comes to the same.
        force: replace a model of this name, or begin anew where a run was stopped.
        say: is told how it goes.
        show: is told how far the healing is, at every step.

    Raises:
        UsageError: a number of the plan is out of range, the set has too few rows, the name is taken, or the model
            has no such parts.
        TekioError: training failed, or the model cannot be written.
    """
    plan.check()
    check_model_name(out.name, out.parent, force=force)
    tokenizer, rows, held, data_hash = read_rows(folder, plan)
    told = {"plan": plan.as_dict(), "data": data_hash, "base": base_fingerprint(folder)}
    with working(out, digest_of(**told), resume=resume, force=force) as work:
        model = load(folder)
        losses = {"whole": losses_of(model, held)}
        taken = take_out(model, plan, seen_of(model, plan, rows))
        losses["pruned"] = losses_of(model, held)
        say(
            f"{taken:.0%} of the {_noun(plan)} taken out: held-out perplexity "
            f"{perplexity(losses['whole'], held):.2f} to {perplexity(losses['pruned'], held):.2f}"
        )
        training: dict[str, Any] = {}
        if plan.heal:
            from adaptation.finetuning.watching import in_lines
            from adaptation.lab.pruning.healing import heal

            model, trained = heal(
                model,
                rows,
                held,
                plan,
                work,
                teacher=lambda: load(folder),
                resume=resume,
                show=show or in_lines(say),
            )
            training = trained.as_dict()
            losses["healed"] = losses_of(model, held)
            say(f"healed: held-out perplexity {perplexity(losses['healed'], held):.2f}")
        card = LabCard(
            name=out.name,
            method="prune",
            base=folder.name,
            figures={"taken": taken, "held_out": _figures(losses, held), "training": training}
            | _zeros(model, plan),
            recipe=plan.as_dict() | {"data_hash": data_hash},
        )
        keep_model(out, as_kept(model, dtype_of(folder)), tokenizer.tokenizer, card, force=force)
    return read_card(out)


def load(folder: Path) -> Any:
    """Load a model in float32, where it is computed, to be changed.

    Raises:
        UsageError: its weights are quantised, so that there are none to take out or to learn.
    """
    import torch
    from transformers import AutoConfig

    from adaptation.finetuning.building import load_base
    from kernel.chat.quantised import form_of

    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    if form_of(folder) is not None or getattr(config, "quantization_config", None):
        raise UsageError(
            f"the weights in {folder} are quantised: give the model as it was before, and quantise what comes of it"
        )
    return load_base(folder, "full").to("cuda" if torch.cuda.is_available() else "cpu")


def dtype_of(folder: Path) -> Any:
    """Return the type that a folder holds a model in; float32 where it does not say."""
    import torch
    from transformers import AutoConfig

    dtype = getattr(AutoConfig.from_pretrained(folder, local_files_only=True), "dtype", None)
    return dtype if isinstance(dtype, torch.dtype) else torch.float32


def as_kept(model: Any, dtype: Any) -> Any:
    """Return a model as it is to be written: in the type that it came in, and to answer by, not to be trained."""
    model.config.use_cache = True
    return model.to(dtype)


def take_out(model: Any, plan: PrunePlan, seen: Seen | None) -> float:
    """Prune a model in place; return the share that was taken out, which whole parts may not match.

    Raises:
        UsageError: it has no such parts.
    """
    from adaptation.lab.pruning.parts import drop_heads, drop_neurons, keep_layers, layers_to_keep
    from adaptation.lab.pruning.weights import prune_weights

    if not plan.is_structured:
        return prune_weights(model, plan.share, seen, plan.of_each())
    assert seen is not None
    if plan.kind == "layers":
        if len(seen.changes) < 2:
            raise UsageError("a model with one layer has none that can be taken out")
        kept = layers_to_keep(seen.changes, plan.share)
        keep_layers(model, kept)
        return 1 - len(kept) / len(seen.changes)
    return (drop_heads if plan.kind == "heads" else drop_neurons)(model, plan.share, seen)


def read_rows(folder: Path, plan: PrunePlan) -> tuple[ChatTokenizer, list[Encoded], list[Encoded], str]:
    """Return a model's tokenizer, the rows that are learned, those that are measured on, and the hash of the set.

    Raises:
        UsageError: the folder holds no model, or the set has too few rows.
    """
    if not (folder / "config.json").is_file():
        raise UsageError(f"there is no model in {folder}: name a folder with a config.json")
    tokenizer = ChatTokenizer(folder)
    return tokenizer, *learned_and_held(tokenizer, plan.data, window=plan.window)


def seen_of(model: Any, plan: PrunePlan, rows: Sequence[Encoded]) -> Seen | None:
    """Return what was seen on rows drawn by the plan's seed; None where its way does not go by it."""
    if plan.kind == "magnitude":
        return None
    import numpy as np

    from adaptation.lab.pruning.seeing import see

    order = np.random.default_rng(plan.seed).permutation(len(rows))[: plan.read]
    return see(model, [rows[place] for place in order])


def _figures(losses: dict[str, Any], held: Sequence[Encoded]) -> dict[str, Any]:
    from kernel.comparison import before_and_after

    found: dict[str, Any] = {
        name: {"loss": float(each.mean()), "perplexity": perplexity(each, held)}
        for name, each in losses.items()
    }
    last = list(losses)[-1]
    found["change"] = before_and_after(losses["whole"], losses[last]) | {"rows": len(held)}
    if last == "healed":
        found["healing"] = before_and_after(losses["pruned"], losses["healed"]) | {"rows": len(held)}
    return found


def _zeros(model: Any, plan: PrunePlan) -> dict[str, Any]:
    if plan.is_structured:
        return {}
    from adaptation.lab.pruning.weights import share_of_noughts

    return {"noughts": share_of_noughts(model)}


def _noun(plan: PrunePlan) -> str:
    return {"heads": "heads", "neurons": "inner values", "layers": "layers"}.get(plan.kind, "weights")


__all__ = ["PrunePlan", "as_kept", "dtype_of", "load", "prune_model", "read_rows", "seen_of", "take_out"]

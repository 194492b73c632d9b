"""What `tekio adapt experts` does: a dense base and texts of several domains in, a mixture of experts out.

Beside the mixture a dense model, or plain LoRA, of as many active parameters learns the same windows in the same order,
so that what the experts bring is told apart from what the texts do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adaptation.finetuning.command import Base
from adaptation.lab.experts.picture import USE_FILE, draw_use
from adaptation.lab.experts.recipe import ExpertRecipe
from adaptation.lab.experts.running import Run, Say
from adaptation.lab.experts.texts import read_windows
from adaptation.lab.models import LabCard, keep_model
from adaptation.lab.work_folder import begin_work, end_work
from adaptation.registry import put_in_place
from kernel.chat.adapters import AdapterCard, base_fingerprint, template_hash
from retrieval.errors import TekioError, UsageError

_BYTES_A_WEIGHT = 16
"""That training holds of a weight: itself, its gradient, and two means of the optimiser, in float32."""


@dataclass(frozen=True)
class Mixture:
    """A mixture that was made, and what it came to.

    Attributes:
        folder: of the model, or of the adapter.
        figures: as JSON: parameters, perplexities, the change by text, the load of the experts.
        notices: what was seen while it trained, in words.
        held_texts: that nothing was learned from.
    """

    folder: Path
    figures: dict[str, Any]
    notices: list[str]
    held_texts: Sequence[str]


def make_mixture(
    base: Base,
    texts: Path,
    out: Path,
    recipe: ExpertRecipe,
    *,
    compare: bool = True,
    resume: bool = False,
    force: bool = False,
    say: Say = lambda text: None,
) -> Mixture:
    """Make a mixture of experts and keep it, whole or not at all.

    Args:
        base: a dense model.
        texts: folder of the domains' texts, see `read_domains`.
        out: folder of the model, or for LoRA experts of the adapter.
        recipe: how.
        compare: train a dense model, or plain LoRA, on the same windows as well.
        resume: go on with a run that was stopped.
        force: replace what is there, or begin anew where a run was stopped.
        say: is told how it goes.

    Raises:
        UsageError: a number is out of range, the texts are too few, or the base cannot become a mixture.
        TekioError: training failed, or the result cannot be written; checkpoints are kept.
    """
    recipe.check()
    windows, told = read_windows(texts, base.folder, recipe)
    if recipe.kind == "model":
        _check_room(base, recipe)
    fingerprint = base_fingerprint(base.folder)
    work = begin_work(out, recipe.digest(told, fingerprint), resume=resume, force=force)
    say(
        f"{len(windows.learned):,} windows of {recipe.window} tokens to learn from, of {len(windows.held_out)} "
        f"domains; {len(windows.held_texts):,} texts held out"
    )
    run = Run(base, recipe, windows, work, say)
    dense = run.dense() if compare else None
    model, trained, figures = run.mixture(dense)
    if recipe.kind == "model":
        folder = _keep(model, base, out, recipe, figures, force=force)
    else:
        card = AdapterCard(
            base=base.name,
            base_fingerprint=fingerprint,
            base_revision=base.revision,
            template_sha256=template_hash(base.folder),
            method="lora-experts",
            languages=list(base.languages),
            made=datetime.now(UTC).isoformat(timespec="seconds"),
            data_hash=told,
            recipe=asdict(recipe),
            training={
                "steps": recipe.steps,
                "seconds": trained.seconds,
                "tokens": trained.tokens,
                "rows": len(windows.learned),
                "loss": trained.loss,
                "parameters": figures["parameters"]["mixture"],
                "all_parameters": figures["parameters"]["base"] + figures["parameters"]["mixture"],
            },
            curve=[dict(point) for point in trained.curve],
            figures=figures,
            notices=trained.notices,
        )
        folder = _keep_adapter(model, card, out, work)
    draw_use(figures["experts"]["shares"], folder / USE_FILE, title=f"{out.name}: who computes what")
    end_work(work)
    return Mixture(folder, figures, trained.notices, windows.held_texts)


def _check_room(base: Base, recipe: ExpertRecipe) -> None:
    """Check that a mixture can be trained in the free memory.

    Raises:
        UsageError: it cannot, or the base cannot become a mixture.
    """
    from transformers import AutoConfig

    from adaptation.finetuning.memory import free_bytes
    from adaptation.lab.experts.upcycling import expected_parameters

    count = expected_parameters(AutoConfig.from_pretrained(base.folder, local_files_only=True), recipe)
    needed, free = count * _BYTES_A_WEIGHT, free_bytes()
    if needed > free:
        raise UsageError(
            f"a mixture of {recipe.experts} experts over {base.name} has {count:,} parameters, whose training takes "
            f"{needed / 1e9:.1f} GB or more, and {free / 1e9:.1f} GB are free: give fewer --experts, a smaller --base, "
            "or --kind lora"
        )


def _keep(
    model: Any, base: Base, out: Path, recipe: ExpertRecipe, figures: dict[str, Any], *, force: bool
) -> Path:
    from transformers import AutoTokenizer

    model.config.use_cache = True
    card = LabCard(
        name=out.name,
        method="experts",
        base=base.name,
        parameters=figures["parameters"]["mixture"],
        figures=figures,
        recipe=asdict(recipe),
    )
    tokenizer = AutoTokenizer.from_pretrained(base.folder, local_files_only=True)
    return keep_model(out, model, tokenizer, card, force=force)


def _keep_adapter(model: Any, card: AdapterCard, out: Path, work: Path) -> Path:
    """Write LoRA experts beside their checkpoints, then put them in their place."""
    import shutil

    from safetensors import SafetensorError

    from adaptation.lab.experts.lora import write_experts

    whole = work / "adapter"
    try:
        shutil.rmtree(whole, ignore_errors=True)
        write_experts(model, card.base, whole)
        card.write(whole)
        put_in_place(whole, out)
    except (OSError, SafetensorError) as error:
        why = getattr(error, "strerror", None) or error
        raise TekioError(
            f"the adapter could not be written to {out} ({why}): free some space and add --resume; the checkpoints are "
            f"in {work}"
        ) from error
    return out


__all__ = ["Mixture", "make_mixture"]

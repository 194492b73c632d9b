"""What `tekio adapt train` does: a base and a training set in, the folder of an adapter out."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adaptation.finetuning.curve import CURVE_FILE, draw_curve
from adaptation.finetuning.encoding import EncodedPairs, EncodedRows, shared_beginning
from adaptation.finetuning.learned import Learned, check_rows, read_learned
from adaptation.finetuning.methods import method_of
from adaptation.finetuning.processes import in_turn, is_first
from adaptation.finetuning.recipe import Recipe
from adaptation.registry import put_in_place
from adaptation.training_sets.card import check_set
from kernel.chat.adapters import (
    AdapterCard,
    base_fingerprint,
    check_adapter,
    list_adapters,
    list_reward_models,
    template_hash,
)
from kernel.chat.chat_tokens import ChatTokenizer
from retrieval.errors import TekioError, UsageError

if TYPE_CHECKING:
    from adaptation.finetuning.training import Schedule, Trained
    from adaptation.finetuning.watching import Progress

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TAKEN = frozenset({"base", "extractive"})
_PLAN = "plan.json"
_MOST_HELD_OUT = 64
"""Rows whose loss is watched, at most: it is computed eight times, and more would take longer than learning."""
_ROOM = 64 << 20
"""Bytes that must be free beside four times the adapter's own size."""


@dataclass(frozen=True, slots=True)
class Base:
    """The model that is trained over, as transformers reads it."""

    name: str
    folder: Path
    revision: str = ""
    languages: Sequence[str] = ()


def check_name(name: str, adapters: Path, *, force: bool) -> Path:
    """Return the folder of an adapter of this name.

    Raises:
        UsageError: the name is no plain one, a variant's own, or taken.
    """
    if not _NAME.fullmatch(name) or name.endswith("."):
        raise UsageError(
            f"'{name}' cannot be the name of an adapter: use up to 64 letters, digits, '.', '_' and '-', a letter or "
            "digit first"
        )
    if name.lower() in _TAKEN:
        raise UsageError(f"'{name}' is the name of a variant that is always there: choose another --name")
    folder = adapters / name
    if folder.exists() and not force:
        raise UsageError(
            f"there is an adapter '{name}' in {adapters}: choose another --name, or give --force"
        )
    return folder


def train_adapter(
    base: Base,
    data: Path,
    out: Path,
    recipe: Recipe,
    *,
    resume: bool = False,
    force: bool = False,
    say: Callable[[str], None] = lambda text: None,
    show: Callable[[Progress], None] | None = None,
) -> AdapterCard:
    """Train an adapter on a set and write it, with its card and curve; it appears when it is whole.

    An adapter of the same name is replaced at the very end, or not at all. Of several processes that train together
    the first one writes.

    Args:
        base: that is trained over.
        data: folder of the set, see `make_set`.
        out: folder of the adapter; adapters that the recipe names are beside it.
        recipe: how it is trained.
        resume: go on with a training that was stopped.
        force: begin anew where one was stopped.
        say: is told how it goes.
        show: is told how far it is, at every step; without it, `say` is, now and then.

    Raises:
        UsageError: the set is none, is empty or too small, or a number is out of range.
        TekioError: training failed; its checkpoints are kept.
    """
    recipe.check()
    method = method_of(recipe.method)
    card = check_set(data)
    tokenizer = ChatTokenizer(base.folder)
    rows = read_learned(tokenizer, data, "train", method, recipe.window)
    held_out = read_learned(tokenizer, data, "held_out", method, recipe.window, most=_MOST_HELD_OUT)
    check_rows(rows, data, method, say)
    _check_others(base, out.parent, recipe)
    if not held_out.rows and method.learns != "rewards":
        say("no held-out rows: training goes to its end, with nothing to stop it by")
    digest = recipe.digest(card.hash, base_fingerprint(base.folder))
    work = out.parent / f".{out.name}.training"
    fitted = recipe if resume else _fitting(recipe, base, say)
    with in_turn():
        if is_first():
            plan = {"digest": digest, "pack": fitted.pack}
            _make_work_folder(work, out.name, plan, resume=resume, force=force)
    # Of all processes, and of one that goes on: the packs are those that the training began with.
    recipe = replace(recipe, pack=json.loads((work / _PLAN).read_text(encoding="utf-8"))["pack"])
    say(
        f"{len(rows.rows):,} rows to learn from, {rows.tokens:,} tokens of which {rows.learned:,} are learned; "
        f"{len(held_out.rows):,} rows held out"
    )
    from adaptation.finetuning.training import run
    from adaptation.finetuning.watching import in_lines

    trainer, schedule = _trainer(base, tokenizer, rows, held_out, recipe, work, out.parent)
    trained = run(trainer, recipe, schedule, resume=resume, show=show or in_lines(say))
    made = _card(base, recipe, card.hash, trained, rows, card.languages)
    if isinstance(held_out, EncodedPairs) and method.name == "reward" and held_out.rows:
        from adaptation.finetuning.preferences import pairs_right

        right = pairs_right(trainer.model, held_out.rows)
        made = made.model_copy(update={"figures": {"pairs": {"pairs": len(held_out.rows), "right": right}}})
    if is_first():
        _write(trainer.model, made, out, work)
    return made


def _trainer(
    base: Base,
    tokenizer: ChatTokenizer,
    rows: Learned,
    held_out: Learned,
    recipe: Recipe,
    work: Path,
    adapters: Path,
) -> tuple[Any, Schedule]:
    """Return the trainer of a method over its rows, and how long it goes."""
    from adaptation.finetuning.building import adapted, adapted_further, load_base, load_judge, peft_config

    method = method_of(recipe.method)
    loaded = load_base(base.folder, method.name)
    if recipe.start:
        model, config = adapted_further(loaded, adapters / recipe.start, recipe), None
    elif method.name in (
        "dpo",
        "rlhf",
    ):  # TRL puts the new adapter over it, so that the base is the reference
        model, config = loaded, peft_config(method, loaded, recipe)
    else:
        prompts = [row.prompt for row in rows.rows]
        model, config = adapted(loaded, recipe, shared_beginning(prompts)), None
    if isinstance(rows, EncodedRows) and isinstance(held_out, EncodedRows) and method.learns != "rewards":
        from adaptation.finetuning.answers import answer_trainer

        return answer_trainer(model, rows.rows, held_out.rows, recipe, work)
    from adaptation.finetuning.preferences import judged_trainer, pair_trainer, reward_of, some

    if isinstance(rows, EncodedPairs) and isinstance(held_out, EncodedPairs):
        return pair_trainer(model, rows.rows, held_out.rows, recipe, work, tokenizer.tokenizer, config)
    judge = reward_of(load_judge(base.folder, adapters / recipe.reward))
    prompts = some([row.prompt for row in rows.rows], seed=recipe.seed)
    return judged_trainer(model, prompts, judge, recipe, work, tokenizer.tokenizer, config)


def _fitting(recipe: Recipe, base: Base, say: Callable[[str], None]) -> Recipe:
    """Return a recipe whose packs fit in memory."""
    if recipe.pack:
        return recipe
    from transformers import AutoConfig

    from adaptation.finetuning.memory import MOST, free_bytes, tokens_at_once

    config = AutoConfig.from_pretrained(base.folder, local_files_only=True)
    layers = max(1, round(recipe.layers * int(config.num_hidden_layers)))
    pack = tokens_at_once(config, layers=1 if recipe.checkpointing else layers, free=free_bytes())
    if pack < MOST:
        say(f"little memory is free, so {pack} tokens are computed at once in place of {MOST:,}")
    return replace(recipe, pack=pack)


def _check_others(base: Base, adapters: Path, recipe: Recipe) -> None:
    """Check the adapters that a recipe names.

    Raises:
        UsageError: one is missing, or does not fit the base.
    """
    rewards = recipe.method == "rlhf"
    if rewards and recipe.reward not in list_reward_models(adapters):
        known = ", ".join(list_reward_models(adapters)) or "none yet: `tekio adapt train --method reward`"
        raise UsageError(f"rlhf needs the name of a reward model, --reward; there are: {known}")
    if recipe.reward and not rewards:
        raise UsageError("--reward is of the method rlhf")
    if recipe.start and recipe.start not in list_adapters(adapters):
        raise UsageError(f"there is no adapter '{recipe.start}' to start from in {adapters}")
    for name in filter(None, (recipe.start, recipe.reward)):
        check_adapter(adapters / name, base=base.name, base_folder=base.folder)


def find_rate(
    base: Base, data: Path, recipe: Recipe, *, say: Callable[[str], None] = lambda text: None
) -> Recipe:
    """Return the recipe with a learning rate that was found by trial.

    Raises:
        UsageError: the set is none, is too small, or the method does not learn answers or texts.
        TekioError: no rate gave a loss that is a number.
    """
    recipe.check()
    method = method_of(recipe.method)
    check_set(data)
    rows = read_learned(ChatTokenizer(base.folder), data, "train", method, recipe.window)
    check_rows(rows, data, method, say)
    if not isinstance(rows, EncodedRows) or method.learns == "rewards":
        raise UsageError(f"--find-lr is for methods that learn answers or texts, not for {method.name}")
    from adaptation.finetuning.building import adapted, load_base
    from adaptation.finetuning.rate_search import try_rates

    with tempfile.TemporaryDirectory(prefix="tekio-rate-") as work:
        beginning = shared_beginning(row.prompt for row in rows.rows)
        model = adapted(load_base(base.folder, method.name), recipe, beginning)
        found = try_rates(model, rows.rows, recipe, Path(work), say=say)
    say(
        f"learning rate {found.rate:g}: the loss was lowest, {min(found.losses):.3f}, at about five times as much"
    )
    return replace(recipe, rate=found.rate)


def _make_work_folder(work: Path, name: str, plan: dict[str, Any], *, resume: bool, force: bool) -> None:
    """Make the folder of the checkpoints of a training, or check that the one that is there goes on."""
    file = work / _PLAN
    held = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
    if resume:
        if held is None:
            raise UsageError(f"no training of '{name}' was stopped: train without --resume")
        if held["digest"] != plan["digest"]:
            raise UsageError(
                f"the training of '{name}' that was stopped had another base, set or numbers: give the same "
                "ones, or --force in place of --resume"
            )
        return
    if held is not None and not force:
        raise UsageError(
            f"a training of '{name}' was stopped before its end: --resume goes on with it, --force begins anew"
        )
    try:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        file.write_text(json.dumps(plan) + "\n", encoding="utf-8")
    except OSError as error:
        raise TekioError(f"{work} cannot be written ({error.strerror or error}): free some space") from error
    if shutil.disk_usage(work).free < _ROOM:
        raise TekioError(f"there is less than {_ROOM >> 20} MiB free beside {work}: free some space")


def _card(
    base: Base, recipe: Recipe, data_hash: str, trained: Trained, rows: Learned, learned: dict[str, int]
) -> AdapterCard:
    from adaptation.finetuning.watching import signs_of_overtraining

    spoken = sorted({*base.languages, *(language for language, count in learned.items() if count)})
    notices = signs_of_overtraining(trained.points)
    if trained.stopped_early:
        notices.append(f"stopped early at step {trained.steps:,}: the held-out loss fell no further")
    facts = asdict(replace(trained, points=[]))
    del facts["points"]
    return AdapterCard(
        base=base.name,
        base_fingerprint=base_fingerprint(base.folder),
        base_revision=base.revision,
        template_sha256=template_hash(base.folder),
        method=recipe.method,
        languages=spoken,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        data_hash=data_hash,
        recipe=asdict(recipe),
        training=facts | {"rows": len(rows.rows), "too_long": len(rows.too_long)},
        curve=[point.model_dump(exclude_none=True) for point in trained.points],
        notices=notices,
    )


def _write(model: object, card: AdapterCard, out: Path, work: Path) -> None:
    """Write the adapter beside the checkpoints, then put it in its place, and take the checkpoints away."""
    from safetensors import SafetensorError

    from adaptation.finetuning.building import write_adapter

    whole = work / "adapter"
    try:
        shutil.rmtree(whole, ignore_errors=True)
        write_adapter(model, card.base, whole, method=card.method)
        draw_curve(card.curve, whole / CURVE_FILE, title=out.name)
        card.write(whole)
        put_in_place(whole, out)
        shutil.rmtree(work, ignore_errors=True)
    except (OSError, SafetensorError) as error:
        why = getattr(error, "strerror", None) or error
        raise TekioError(
            f"the adapter could not be written to {out} ({why}): free some space and add --resume; the checkpoints are "
            f"in {work}"
        ) from error


__all__ = ["Base", "check_name", "find_rate", "train_adapter"]

"""The reading model in, one with fewer layers out, which a setting names in its place.

Importing this imports nothing heavy; the functions import torch and transformers.
"""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from adaptation.lab.models import LabCard, check_model_name, keep_written, read_card
from adaptation.lab.pruning.reader_plan import ReaderPlan, layers_reached
from adaptation.lab.work_folder import digest_of, working
from adaptation.span_reader.examples import Asked, make_examples
from adaptation.span_reader.made_up import MadeUpQuestions
from adaptation.span_reader.training import Encoded, batches, encode, load_encoder
from kernel.reading_model import HEAD, ReaderFiles
from retrieval.errors import UsageError
from retrieval.model_folder import pad_id
from retrieval.token_counter import load_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from adaptation.finetuning.watching import Progress
    from adaptation.lab.pruning.reader_healing import FewerLayers, WholeReader

LEAST_ASKED = 32
"""Questions with an answer in their passage, without which there is too little to learn from."""
_MOST_HELD = 200
_COPIED = ("tokenizer.json", "tokenizer_config.json")


def prune_reader(
    whole: ReaderFiles,
    out: Path,
    plan: ReaderPlan,
    learned: Sequence[Asked],
    held: Sequence[Asked],
    *,
    texts: Sequence[str] = (),
    begun: ReaderFiles | None = None,
    resume: bool = False,
    force: bool = False,
    say: Callable[[str], None] = lambda text: None,
    show: Callable[[Progress], None] | None = None,
) -> LabCard:
    """Take layers out of a reading model, teach what is left, and keep it as a model of the lab; return its card.

    Its figures hold by how many nats held-out answers are seen elsewhere than the whole model sees them, `pruned` (or
    `begun`) and `healed`.

    Args:
        whole: the reading model.
        out: the folder of the new one.
        plan: how.
        learned: questions with passages to learn from; their right answers are not told to it.
        held: others, of other documents.
        texts: that questions are made up of, beside those that `learned` are asked of.
        begun: what came of the whole model by an earlier pruning, to be taught further.
        resume: go on with a healing that was stopped; it comes to the same.
        force: replace a model of this name, or begin anew where a run was stopped.
        say: is told how it goes.
        show: is told how far the healing is, at every step.

    Raises:
        UsageError: a number of the plan is out of range, there are too few questions, the name is taken, the model has
            one layer, or `begun` did not come of it.
        TekioError: training failed, or the model cannot be written.
    """
    plan.check()
    check_model_name(out.name, out.parent, force=force)
    tokenizer = load_tokenizer(whole.folder / "tokenizer.json")
    watched = encode(tokenizer, make_examples(held, seed=plan.seed))[:_MOST_HELD]
    if len(learned) < LEAST_ASKED or not watched:
        raise UsageError(
            f"{len(learned)} questions can be learned from and {len(watched)} examples are held out: {LEAST_ASKED} "
            "questions that have an answer in a passage are the least, and one of other documents"
        )
    told = {"plan": plan.as_dict(), "asked": _digest(learned, texts), "base": whole.revision}
    if begun:
        told["begun"] = begun.revision
    with working(out, digest_of(**told), resume=resume, force=force) as work:
        from adaptation.lab.pruning.reader_healing import heal, told_otherwise

        model = load_reader(whole)
        reached = layers_reached(len(model.layers()), plan.share)
        student = fewer_layers_of(begun, model, reached) if begun else fewer_layers(model, reached)
        rows, fill = batches(watched, plan.rows), pad_id(whole.folder)
        first = told_otherwise(student, model, rows, fill)
        far = {"begun" if begun else "pruned": first}
        taken = 1 - len(reached) / len(model.layers())
        say(f"{taken:.0%} of the layers taken out: answers are seen {np.mean(first):.2f} nats elsewhere")
        training: dict[str, Any] = {}
        if plan.heal:
            from adaptation.finetuning.watching import in_lines

            trained = heal(
                student,
                model,
                drawn_batches(tokenizer, learned, plan, texts),
                reached,
                plan,
                work,
                fill=fill,
                apart=begun is None,
                resume=resume,
                show=show or in_lines(say),
            )
            training = trained.as_dict()
            far["healed"] = told_otherwise(student.cpu(), model.cpu(), rows, fill)
            say(f"healed: {np.mean(far['healed']):.2f} nats elsewhere")
        card = LabCard(
            name=out.name,
            method="prune reader",
            base=whole.folder.name,
            parameters=sum(
                each.numel() for each in (*model.encoder.embeddings.parameters(), *student.parameters())
            ),
            figures={"taken": taken, "held_out": _figures(far), "training": training},
            recipe=plan.as_dict()
            | {"data_hash": told["asked"], "reached": reached}
            | ({"student": begun.folder.name} if begun else {}),
        )
        keep_written(out, lambda folder: _write(folder, model, student, whole), card, force=force)
    return read_card(out)


def load_reader(files: ReaderFiles) -> WholeReader:
    """Load a reading model in float32, where it is computed.

    Raises:
        UsageError: its files hold none.
    """
    import torch
    from safetensors.torch import load_file

    from adaptation.lab.pruning.reader_healing import WholeReader

    encoder = load_encoder(files.folder)
    head = torch.nn.Linear(int(encoder.config.hidden_size), 2)
    head.load_state_dict(load_file(files.head))
    return WholeReader(encoder, head).eval().requires_grad_(False)


def fewer_layers(whole: WholeReader, reached: Sequence[int]) -> FewerLayers:
    """Return copies of those layers behind which the states stand that are to be come to, to be learned."""
    from copy import deepcopy

    from adaptation.lab.pruning.reader_healing import FewerLayers

    layers = whole.layers()
    kept = [deepcopy(layers[number - 1]) for number in reached]
    return FewerLayers(kept, deepcopy(whole.head)).requires_grad_(True)


def fewer_layers_of(begun: ReaderFiles, whole: WholeReader, reached: Sequence[int]) -> FewerLayers:
    """Return the layers of an earlier pruning of a reading model, to be learned further.

    Raises:
        UsageError: it has another number of layers or other words, or is no reading model.
    """
    import torch

    from adaptation.lab.pruning.reader_healing import FewerLayers

    found = load_reader(begun)
    words, own = (each.encoder.embeddings.state_dict() for each in (whole, found))
    # What is kept is in half precision.
    alike = words.keys() == own.keys() and all(
        torch.equal(words[name].half(), own[name].half()) for name in words
    )
    if not alike or len(found.layers()) != len(reached):
        raise UsageError(
            f"'{begun.folder.name}' is no earlier pruning of this reading model to {len(reached)} layers: "
            "--student goes on with one of the same model and --sparsity"
        )
    return FewerLayers(list(found.layers()), found.head).requires_grad_(True)


def drawn_batches(
    tokenizer: Tokenizer, asked: Sequence[Asked], plan: ReaderPlan, texts: Sequence[str] = ()
) -> list[list[Encoded]]:
    """Return as many batches as there are steps. Each epoch draws other passages, and changes and makes up others.

    Args:
        tokenizer: of the reading model.
        asked: questions with passages.
        plan: how many batches, of how many rows, and how many questions are made up.
        texts: that these are made of, beside the passages of `asked`.
    """
    made_up = MadeUpQuestions([*(text for each in asked for text in (each.text, *each.others)), *texts])
    found: list[list[Encoded]] = []
    epoch = 0
    while len(found) < plan.heal:
        seed = plan.seed + epoch
        drawn: list[list[Encoded]] = []
        for part in (asked, made_up.draw(round(plan.made_up * len(asked)), seed=seed)):
            drawn += batches(encode(tokenizer, make_examples(part, seed=seed)), plan.rows)
        if not drawn:
            raise UsageError("no question has its answer in its passage: there is nothing to learn from")
        random.Random(seed).shuffle(drawn)  # noqa: S311 - no secret
        found += drawn
        epoch += 1
    return found[: plan.heal]


def _digest(asked: Sequence[Asked], texts: Sequence[str]) -> str:
    found = hashlib.sha256()
    for each in asked:
        found.update(repr((each.question, each.answers, each.text, each.others)).encode())
    for text in texts:
        found.update(repr(text).encode())
    return found.hexdigest()[:16]


def _figures(far: dict[str, list[float]]) -> dict[str, Any]:
    from kernel.comparison import bootstrap_interval

    return {
        name: {
            "nats": float(np.mean(each)),
            "interval": bootstrap_interval(np.array(each)),
            "rows": len(each),
        }
        for name, each in far.items()
    }


def _write(folder: Path, whole: WholeReader, student: FewerLayers, files: ReaderFiles) -> None:
    """Write the encoder with the layers that stay, in half precision, its words' files, and its two weights."""
    import torch
    from safetensors.torch import save_file

    encoder = whole.encoder
    encoder.encoder.layer = torch.nn.ModuleList(student.layers)
    encoder.config.num_hidden_layers = len(student.layers)
    encoder.half().save_pretrained(str(folder))
    save_file(
        {name: value.detach().float().contiguous() for name, value in student.head.state_dict().items()},
        folder / HEAD,
    )
    for name in _COPIED:
        if (files.folder / name).is_file():
            shutil.copyfile(files.folder / name, folder / name)


__all__ = ["LEAST_ASKED", "ReaderPlan", "prune_reader"]

"""`adapt policy train` and `evaluate`: a policy learnt from recorded answers or feedback, and valued off-policy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retrieval.errors import UsageError
from ui.commands.policy_named import NameArgument, named
from ui.console import print_json, print_text, say
from ui.opening import event_loop, opened
from ui.options import IndexOption, JsonFlag, SeedOption
from ui.policy_text import value_lines

if TYPE_CHECKING:
    from adaptation.policies.rows import Rows
    from kernel.policies.network import PolicyFile
    from kernel.policies.settings import PolicySettings
    from kernel.settings import Settings

FromOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--from",
        metavar="RUN.json",
        help="What `tekio evaluate answers --out` wrote, with answers by the policy's actions; repeat it.",
        show_default=False,
    ),
]
FeedbackFlag = Annotated[
    bool,
    typer.Option("--feedback", help="Learn from what the policy decided and what people said of it, too."),
]
StepsOption = Annotated[int, typer.Option("--steps", min=1, max=1_000_000, help="Steps of training.")]
AnewFlag = Annotated[
    bool, typer.Option("--anew", help="Begin from nothing, not from where the last training ended.")
]
ScratchOption = Annotated[
    Path | None,
    typer.Option(
        "--scratch",
        metavar="DIR",
        help="Where the index of a run with --pool is; beside the models unless given.",
        show_default=False,
    ),
]


def train(
    name: NameArgument,
    source: FromOption = None,
    feedback: FeedbackFlag = False,
    steps: StepsOption = 1500,
    seed: SeedOption = 0,
    anew: AnewFlag = False,
    scratch: ScratchOption = None,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Train a policy on half of the documents, and value it on the other; it does not serve by that."""
    settings, policy = named(name, index)
    rows, sources = _rows(
        name, settings, policy, source or [], feedback=feedback, index=index, scratch=scratch
    )
    from adaptation.policies.learning import Plan, train
    from kernel.policies.making import policy_folder

    file, _ = train(
        rows, policy, policy_folder(name, settings), Plan(steps, seed, anew), sources=sources, say=say
    )
    _show_file(name, file, policy, as_json=as_json)


def evaluate(
    name: NameArgument,
    source: FromOption = None,
    feedback: FeedbackFlag = False,
    serving: Annotated[
        bool, typer.Option("--serving", help="Value the one that serves, not the one trained last.")
    ] = False,
    scratch: ScratchOption = None,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Value a policy off-policy on the half of the documents that no training uses: doubly robust, IPS, SNIPS."""
    settings, policy = named(name, index)
    from adaptation.policies.learning import worth
    from kernel.policies.making import policy_folder
    from kernel.policies.network import read_policy
    from kernel.policies.serving import untrained

    folder = policy_folder(name, settings)
    path = folder.serving if serving else folder.candidate
    if not path.exists():
        raise UsageError(untrained(name))
    file = read_policy(path, policy.plain_actions)
    rows, sources = _rows(
        name, settings, policy, source or [], feedback=feedback, index=index, scratch=scratch
    )
    value = worth(file, rows.half(1)).as_dict()
    if not serving:
        file = file.model_copy(update={"value": {**value, "from": sources}})
        folder.keep_candidate(file)
    if as_json:
        print_json(value)
    else:
        print_text("\n".join(value_lines(value, policy)))


def _rows(
    name: str,
    settings: Settings,
    policy: PolicySettings,
    source: Sequence[Path],
    *,
    feedback: bool,
    index: str | None,
    scratch: Path | None,
) -> tuple[Rows, list[str]]:
    """Return what is to be learnt from or valued by, and where it is from."""
    if feedback == bool(source):
        raise UsageError("say what to take: --from RUN.json, or --feedback")
    if feedback:
        from adaptation.policies.rows import Rows
        from kernel.policies.experience import experience_of
        from kernel.policies.making import decision_store

        with opened(index) as tekio:
            said = tekio.memory.feedback(everybody=True)
        rows = experience_of(decision_store(settings).read(name), said, policy)
        say(f"{len(rows):,} decisions, {sum(row.rated for row in rows):,} of them rated")
        return Rows.of(rows, len(policy.actions)), ["feedback"]
    from evaluation.answers.runfile import read_run
    from evaluation.policies.recorded import Recorded, check_actions, rows_of

    runs = [(path, read_run(path)) for path in source]
    for path, run in runs:
        check_actions(path, run, policy)  # before anything is measured
    recorded = [Recorded(path, run, _features(run, settings, index, scratch)) for path, run in runs]
    return rows_of(recorded, policy), [str(path) for path in source]


def _features(
    run: Any, settings: Settings, index: str | None, scratch: Path | None
) -> dict[str, tuple[float, ...]]:
    from evaluation.answers.pool import pooled_index
    from evaluation.answers.reading import read_questions
    from evaluation.policies.recorded import measured_items

    place: str | Path | None = index
    if run.questions.pool:
        found = read_questions(Path(run.questions.path), form=run.questions.form)
        place = pooled_index(found, settings, folder=scratch, say=say)
    say(f"measuring {len(run.items):,} questions")
    with opened(place) as tekio, event_loop() as loop:
        return loop.call(measured_items(tekio, run.items))


def _show_file(name: str, file: PolicyFile, policy: PolicySettings, *, as_json: bool) -> None:
    if as_json:
        print_json(file.model_dump(exclude={"layers", "mean", "scale"}))
        return
    may = file.value["beats_default"]
    print_text(
        "\n".join(
            [
                *value_lines(file.value, policy),
                f"`tekio adapt policy activate {name}` lets it serve"
                if may
                else "not shown to be better than the safe default: it may not serve unless forced",
            ]
        )
    )

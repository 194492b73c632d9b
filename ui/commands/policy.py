"""`adapt policy`: a policy over who answers and how, trained, valued before it serves, and taken out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retrieval.errors import UsageError
from ui.console import print_json, print_text, quiet_libraries, say
from ui.opening import event_loop, opened
from ui.options import IndexOption, JsonFlag

if TYPE_CHECKING:
    from adaptation.policies.rows import Rows
    from kernel.policies.network import PolicyFile
    from kernel.policies.settings import PolicySettings
    from kernel.settings import Settings

policy_app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Policies that choose who answers each question and how: trained, valued, put to serve, taken out.",
)
NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="The policy: a table [policies.NAME] of the settings.", show_default=False
    ),
]
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
SeedOption = Annotated[int, typer.Option("--seed", help="Decides all that is drawn by chance.")]
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
ForceFlag = Annotated[
    bool,
    typer.Option("--force", help="Let it serve though it is not shown to be better than the safe default."),
]


@policy_app.command("train")
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
    settings, policy = _named(name, index)
    rows, sources = _rows(
        name, settings, policy, source or [], feedback=feedback, index=index, scratch=scratch
    )
    from adaptation.policies.learning import Plan, train
    from kernel.policies.making import policy_folder

    file, _ = train(
        rows, policy, policy_folder(name, settings), Plan(steps, seed, anew), sources=sources, say=say
    )
    _show_file(name, file, policy, as_json=as_json)


@policy_app.command("evaluate")
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
    settings, policy = _named(name, index)
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
        print_text("\n".join(_value_lines(value, policy)))


@policy_app.command("activate")
def activate(
    name: NameArgument, force: ForceFlag = False, as_json: JsonFlag = False, index: IndexOption = None
) -> None:
    """Let the policy that was trained last serve, if it is better than the safe default beyond chance."""
    settings, _ = _named(name, index)
    from kernel.policies.making import policy_folder
    from kernel.policies.serving import activate

    activate(name, settings, force=force)
    path = policy_folder(name, settings).serving
    if as_json:
        print_json({"policy": name, "serving": str(path.absolute())})
    else:
        print_text(f"{name} serves: {path}; a running server takes it up with its next question")


@policy_app.command("rollback")
def rollback(name: NameArgument, as_json: JsonFlag = False, index: IndexOption = None) -> None:
    """Take the policy that serves out; the one before serves again, or the safe default."""
    settings, _ = _named(name, index)
    from kernel.policies.making import policy_folder

    now = policy_folder(name, settings).rollback()
    if as_json:
        print_json({"policy": name, "serving": None if now is None else str(now.absolute())})
    else:
        print_text(
            f"{name}: " + ("the safe default answers" if now is None else f"the one before serves, {now}")
        )


@policy_app.command("check")
def check(name: NameArgument, as_json: JsonFlag = False, index: IndexOption = None) -> None:
    """Tell whether the policy that serves has become worse than its safe default, and take it out if so."""
    settings, policy = _named(name, index)
    from kernel.policies.composition import roll_back_if_worse
    from kernel.policies.experience import experience_of
    from kernel.policies.making import decision_store, policy_folder
    from kernel.policies.network import digest_of
    from kernel.policies.watching import watch

    folder, store = policy_folder(name, settings), decision_store(settings)
    revision = digest_of(folder.serving)
    if not revision:
        raise UsageError(f"no policy serves as '{name}': its safe default answers already")
    with opened(index) as tekio:
        said = tekio.memory.feedback(everybody=True)
    rows = [row for row in experience_of(store.read(name), said, policy) if row.revision == revision]
    seen = watch(((row.arm, row.reward) for row in rows), error=policy.rollback_error)
    taken_out = roll_back_if_worse(name, policy, folder, store, lambda: said)
    if as_json:
        print_json(
            {
                "policy": name,
                "answers": seen.policy,
                "mean_reward": seen.policy_mean,
                "default_answers": seen.default,
                "default_mean_reward": seen.default_mean,
                "rated": sum(row.rated for row in rows),
                "evidence": seen.evidence,
                "evidence_needed": 1 / policy.rollback_error,
                "taken_out": taken_out,
            }
        )
        return
    print_text(
        f"policy {_mean(seen.policy_mean, seen.policy)}, safe default {_mean(seen.default_mean, seen.default)}, "
        f"{sum(row.rated for row in rows)} rated\nevidence that it is worse {seen.evidence:.2f}, taken out from "
        f"{1 / policy.rollback_error:g}: " + ("taken out" if taken_out else "it stays")
    )


@policy_app.command("show")
def show(name: NameArgument, as_json: JsonFlag = False, index: IndexOption = None) -> None:
    """Show a policy: its actions, what serves, what was trained last, and how much was decided."""
    settings, policy = _named(name, index)
    from kernel.policies.serving import policy_state

    state = policy_state(name, settings)
    if as_json:
        print_json(state.model_dump())
        return
    lines = [
        f"{number}  {action.label}"
        + ("  (safe default)" if not number else "")
        + ("  (there is no such variant)" if action.variant in state.missing else "")
        for number, action in enumerate(policy.actions)
    ]
    lines.append(
        f"safe default {policy.default_share:.0%}, explored {policy.explore:.0%}; {state.decisions:,} decisions kept"
    )
    for which, file in {"serving": state.serving, "candidate": state.candidate}.items():
        lines.append(f"{which}: " + ("none" if file is None else f"trained {file.made[:16]}"))
        if file is not None and file.value:
            lines += [f"  {line}" for line in _value_lines(file.value, policy)]
    print_text("\n".join(lines))


def _named(name: str, index: str | None) -> tuple[Settings, PolicySettings]:
    quiet_libraries()
    from kernel.policies.making import check_techniques, policy_settings
    from kernel.settings import load_settings

    settings = load_settings(index=index)
    policy = policy_settings(name, settings)
    check_techniques(name, policy, settings)
    return settings, policy


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
                *_value_lines(file.value, policy),
                f"`tekio adapt policy activate {name}` lets it serve"
                if may
                else "not shown to be better than the safe default: it may not serve unless forced",
            ]
        )
    )


def _value_lines(value: dict[str, Any], policy: PolicySettings) -> list[str]:
    from kernel.policies.serving import estimate

    lines = [
        f"{value['questions']} held-out questions of {value['groups']} documents or decisions, mean reward 0 to 1:",
        f"policy, doubly robust  {estimate(value['doubly_robust'])}",
        f"policy, IPS            {estimate(value['ips'])}",
        f"policy, SNIPS          {estimate(value['snips'])}",
        f"safe default           {estimate(value['default'])}",
        f"gain over default      {estimate(value['gain'], signed=True)}",
        f"over the best action   {estimate(value['over_best_fixed'], signed=True)}",
    ]
    for action, fixed in zip(policy.actions, value["fixed"], strict=True):
        lines.append(f"  always {action.label}: " + ("never seen" if fixed is None else f"{fixed:.3f}"))
    return lines


def _mean(mean: float | None, count: int) -> str:
    return f"{count:,} answers" + ("" if mean is None else f" of mean reward {mean:.3f}")

"""`adapt policy`: a policy over who answers and how, put to serve, watched and taken out; training it is apart."""

from __future__ import annotations

from typing import Annotated

import typer

from retrieval.errors import UsageError
from ui.commands.policy_named import NameArgument, named
from ui.commands.policy_training import evaluate, train
from ui.console import print_json, print_text
from ui.opening import opened
from ui.options import IndexOption, JsonFlag
from ui.policy_text import mean_of, value_lines

policy_app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Policies that choose who answers each question and how: trained, valued, put to serve, taken out.",
)
ForceFlag = Annotated[
    bool,
    typer.Option("--force", help="Let it serve though it is not shown to be better than the safe default."),
]

policy_app.command("train")(train)
policy_app.command("evaluate")(evaluate)


@policy_app.command("activate")
def activate(
    name: NameArgument, force: ForceFlag = False, as_json: JsonFlag = False, index: IndexOption = None
) -> None:
    """Let the policy that was trained last serve, if it is better than the safe default beyond chance."""
    settings, _ = named(name, index)
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
    settings, _ = named(name, index)
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
    settings, policy = named(name, index)
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
        f"policy {mean_of(seen.policy_mean, seen.policy)}, safe default {mean_of(seen.default_mean, seen.default)}, "
        f"{sum(row.rated for row in rows)} rated\nevidence that it is worse {seen.evidence:.2f}, taken out from "
        f"{1 / policy.rollback_error:g}: " + ("taken out" if taken_out else "it stays")
    )


@policy_app.command("show")
def show(name: NameArgument, as_json: JsonFlag = False, index: IndexOption = None) -> None:
    """Show a policy: its actions, what serves, what was trained last, and how much was decided."""
    settings, policy = named(name, index)
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
            lines += [f"  {line}" for line in value_lines(file.value, policy)]
    print_text("\n".join(lines))

"""How soft actor-critic learns on a bandit whose best policy is known, beside epsilon-greedy, LinUCB and fixed actions.

Run `python -m evaluation.benchmarks.policy --out FOLDER`; the folder gets `policy.json` and `policy.png`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from evaluation.benchmarks.output import say, show
from evaluation.policies.curves import curves, plot, summary
from retrieval.errors import TekioError

AIM = 0.95
"""Share of the best policy's reward that is aimed at within 2,000 steps."""


def main() -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks.policy", description=__doc__)
    parser.add_argument("--steps", type=int, default=2000, help="questions of each run")
    parser.add_argument("--seeds", type=int, default=10, help="how many runs, each on a bandit of its own")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument(
        "--thumbs",
        action="store_true",
        help="rewards of 1 or 0 with the same means, which tell less than graded ones",
    )
    parser.add_argument("--out", type=Path, help="folder for policy.json and policy.png")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    options = parser.parse_args()
    if options.steps < 4 or options.seeds < 1:
        parser.error("at least 4 steps and 1 seed")
    import torch

    torch.set_num_threads(1)
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    try:
        found = curves(list(seeds), options.steps, say, thumbs=options.thumbs)
        figures = summary(found)
        document = {
            "steps": options.steps,
            "seeds": list(seeds),
            "rewards": "thumbs" if options.thumbs else "graded",
            "aim": AIM,
            "aim_reached": figures["SAC"]["final_share"]["low"] >= AIM,
            "learners": figures,
        }
        if options.out is not None:
            options.out.mkdir(parents=True, exist_ok=True)
            every = max(1, options.steps // 200)
            runs = [
                {"learner": each.learner, "seed": each.seed, "regret": each.regret[::every].round(3).tolist()}
                for each in found
            ]
            text = json.dumps({**document, "every": every, "runs": runs}, indent=1)
            (options.out / "policy.json").write_text(text, encoding="utf-8")
            (options.out / "policy.png").write_bytes(plot(found))
    except TekioError as error:
        say(str(error))
        return error.exit_code

    def table() -> None:
        print(f"{'':<18}  regret              share of the best, last quarter  share of the best, learned")
        for name, each in figures.items():
            cells = [
                f"{each[key]['mean']:{form}} [{each[key]['low']:{form}}, {each[key]['high']:{form}}]"
                for key, form in (("regret", ".0f"), ("late_share", ".3f"), ("final_share", ".3f"))
            ]
            print(f"{name:<18}  {cells[0]:<18}  {cells[1]:<31}  {cells[2]}")
        reached = "reached" if document["aim_reached"] else "not reached"
        print(f"aim, {AIM} of the best policy's reward: {reached}")

    show(document, table, as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())

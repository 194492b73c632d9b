"""A run compared with a stored one of the same questions: what fell, and whether by more than chance."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.answers.figures import PairedTest, holm, paired_tests
from evaluation.answers.metrics import METRICS
from evaluation.answers.runfile import RunFile, common_runs, same_questions
from evaluation.answers.table import SIGNIFICANT


@dataclass(frozen=True, slots=True)
class Regression:
    """What came of a comparison. `tests` are all of them, adjusted together; `falls` those that are significant."""

    runs: tuple[str, ...]
    tests: tuple[PairedTest, ...]
    falls: tuple[PairedTest, ...]
    alpha: float
    notices: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison for JSON."""
        return {
            "runs": list(self.runs),
            "alpha": self.alpha,
            "falls": [test.as_dict() for test in self.falls],
            "tests": [test.as_dict() for test in self.tests],
            "notices": list(self.notices),
        }

    def lines(self) -> list[str]:
        """Return the comparison as lines of text: first what fell, then what else differs."""
        lines = [f"FELL {_line(test)}" for test in self.falls]
        lines += [
            f"{'fell, within chance' if test.is_fall else 'rose'} {_line(test)}"
            for test in self.tests
            if test.difference and test not in self.falls
        ]
        verdict = f"{len(self.falls)} of {len(self.tests)} figures fell significantly"
        return [*lines, f"{verdict} (Holm, alpha {self.alpha:g}; runs {', '.join(self.runs)})"]


def regress(baseline: RunFile, run: RunFile, path: Path, *, alpha: float = SIGNIFICANT) -> Regression:
    """Compare a run with a baseline by paired tests over the same questions.

    Args:
        baseline: the stored run.
        run: the new one.
        path: of the baseline, for messages.
        alpha: the share of comparisons without a difference in which any fall is found by chance.

    Raises:
        UsageError: they are of different questions, or have no variant and technique in common.
    """
    same_questions(baseline, run, path)
    names = common_runs(baseline, run)
    tests = holm(
        [test for name in names for test in paired_tests(name, baseline.of(name), name, run.of(name))]
    )
    notices = [f"{name} is in one of the runs only" for name in sorted(set(baseline.names) ^ set(run.names))]
    if baseline.methods != run.methods:
        notices.append("faithfulness or relevance are told by other models than in the baseline")
        changed = {name for name in run.methods if baseline.methods.get(name) != run.methods[name]}
        tests = holm([test for test in tests if test.metric not in changed])
    if (baseline.judge or {}).get("revision") != (run.judge or {}).get("revision"):
        tests = holm([test for test in tests if test.metric != "judge"])
        if baseline.judge and run.judge:
            notices.append("the judges differ, so their grades are not compared")
    falls = tuple(test for test in tests if test.is_fall and test.adjusted < alpha)
    return Regression(tuple(names), tuple(tests), falls, alpha, tuple(notices))


def _line(test: PairedTest) -> str:
    low, high = test.interval
    return (
        f"{test.second}: {METRICS[test.metric].label} {test.before:.3f} to {test.after:.3f}, "
        f"{test.difference:+.3f} [{low:+.3f}, {high:+.3f}], p = {test.p_value:.4f}, by Holm {test.adjusted:.4f}, "
        f"{test.questions} questions"
    )

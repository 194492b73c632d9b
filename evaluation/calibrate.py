"""Fit the refusal threshold: `python -m evaluation.calibrate`.

Works on data/calibration, which is used for nothing else: answerable questions, near misses, and the
answerable ones again with the document that answers them kept from the search. The fitted model is written to
kernel/answering/answerability.json, with what cross-validation by document says about it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.metrics import share
from evaluation.questions import Question, load_questions
from kernel.answering.answerability import MODEL_FILE
from kernel.app import Tekio
from kernel.settings import load_settings
from retrieval.errors import TekioError

DATA = Path(__file__).parent.parent / "data" / "calibration"
REFUSED_AT_MOST = 0.15
"""Share of the answerable questions that may be refused; the threshold is as high as this allows."""
FOLDS = 10
_SIGNS = {
    "similarity": 1,
    "lead": 1,
    "draft_support": 1,
    "sentence_interaction": 1,
    "joint_coverage": 1,
    "missing_figure": -1,
    "missing_code": -1,
    "wrong_kind": -1,
}
"""Whether a feature speaks for an answer or against it."""


@dataclass(frozen=True, slots=True)
class Row:
    """A question with what was measured; `group` keeps the questions of one document in one fold."""

    id: str
    kind: str
    group: str
    measured: dict[str, float]

    @property
    def answerable(self) -> bool:
        """Say whether the passages could hold the answer."""
        return self.kind == "answerable"


async def collect(tekio: Tekio, questions: Sequence[Question]) -> list[Row]:
    """Measure every question, and the answerable ones a second time without their document."""
    rows = []
    for number, item in enumerate(questions, start=1):
        # A near miss belongs to no document: it is grouped by its number, spread over the folds.
        group = item.document or f"near-{number % FOLDS}"
        kind = "answerable" if item.answerable else "near miss"
        rows.append(Row(item.id, kind, group, await tekio.measure(item.question)))
        if item.document:
            measured = await tekio.measure(item.question, without_document=item.document)
            rows.append(Row(item.id, "evidence removed", group, measured))
        if number % 20 == 0:
            _say(f"{number} of {len(questions)} questions")
    return rows


def fit(
    rows: Sequence[Row], names: Sequence[str], *, refused_at_most: float = REFUSED_AT_MOST
) -> dict[str, Any]:
    """Fit a logistic regression and choose the threshold on cross-validated probabilities."""
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from evaluation.signed_logistic import SignedLogistic

    features = np.array([[row.measured[name] for name in names] for row in rows])
    wanted = np.array([row.answerable for row in rows])
    model = make_pipeline(StandardScaler(), SignedLogistic([_SIGNS.get(name, 0) for name in names]))
    held_out: NDArray[np.float64] = cross_val_predict(
        model,
        features,
        wanted,
        groups=[row.group for row in rows],
        cv=GroupKFold(min(FOLDS, len({row.group for row in rows}))),
        method="predict_proba",
    )[:, 1]
    threshold = float(np.quantile(held_out[wanted], refused_at_most))
    model.fit(features, wanted)
    scaler, regression = model[0], model[1]
    report: dict[str, Any] = {}
    for kind in ("answerable", "near miss", "evidence removed"):
        chosen = [row.kind == kind for row in rows]
        report[f"refused, {kind}"] = str(share([bool(p < threshold) for p in held_out[chosen]]))
        if kind != "answerable":
            pair = np.array([row.kind in ("answerable", kind) for row in rows])
            report[f"area under the curve, {kind}"] = round(
                float(roc_auc_score(wanted[pair], held_out[pair])), 3
            )
    return {
        "features": list(names),
        "mean": [round(float(value), 6) for value in scaler.mean_],
        "scale": [round(float(value), 6) for value in scaler.scale_],
        "weights": [round(float(value), 6) for value in regression.coef_[0]],
        "intercept": round(float(regression.intercept_[0]), 6),
        "threshold": round(threshold, 4),
        "cross_validated": report,
    }


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    """Measure, fit, write, print."""
    parser = argparse.ArgumentParser(description="Fit the refusal threshold on data/calibration.")
    parser.add_argument("--out", type=Path, default=MODEL_FILE)
    parser.add_argument("--rows", type=Path, help="write what was measured here, as JSON lines")
    arguments = parser.parse_args()
    try:
        questions = load_questions(DATA / "questions.jsonl")
        with tempfile.TemporaryDirectory() as folder:
            tekio = Tekio(load_settings(index=Path(folder) / "index"), on_message=_say)
            tekio.ingest([DATA / "corpus"])
            rows = asyncio.run(collect(tekio, questions))
            tekio.close()
    except TekioError as error:
        print(f"calibrate: {error}", file=sys.stderr)
        return error.exit_code
    if arguments.rows:
        lines = [
            json.dumps({"id": row.id, "kind": row.kind, "group": row.group, **row.measured}) for row in rows
        ]
        arguments.rows.write_text("\n".join(lines) + "\n", encoding="utf-8")
    fitted = fit(rows, sorted(rows[0].measured))
    arguments.out.write_text(json.dumps(fitted, indent=2) + "\n", encoding="utf-8")
    print("\n".join(f"{name}: {value}" for name, value in fitted["cross_validated"].items()))
    print(f"threshold {fitted['threshold']} written to {arguments.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

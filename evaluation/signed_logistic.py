"""Logistic regression whose weights have the signs that they must have to make sense.

Features that go together may get weights of opposite signs by chance: then a question whose rarest word stands nowhere
would count as better answered for it. With bounds on the weights that cannot happen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, ClassifierMixin

Floats = NDArray[np.float64]


class SignedLogistic(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Both classes count the same in all; `strength` is the inverse of the penalty on the squared weights."""

    def __init__(self, signs: Sequence[int] = (), strength: float = 0.3) -> None:
        """Take the sign of each feature's weight: 1, -1, or 0 for either."""
        self.signs = signs
        self.strength = strength

    def fit(self, features: Floats, wanted: NDArray[np.bool_]) -> SignedLogistic:
        """Fit to features of shape (n, d) and classes of shape (n,)."""
        target = np.where(wanted, 1.0, -1.0)
        share = np.where(wanted, wanted.mean(), 1 - wanted.mean())
        counts = 1 / (2 * share)

        def loss(weights: Floats) -> tuple[float, Floats]:
            margin = target * (features @ weights[:-1] + weights[-1])
            lost = float(counts @ np.logaddexp(0, -margin)) + float(weights[:-1] @ weights[:-1]) / (
                2 * self.strength
            )
            slope = -counts * target / (1 + np.exp(margin))
            return lost, np.append(features.T @ slope + weights[:-1] / self.strength, slope.sum())

        bounds = [{1: (0, None), -1: (None, 0), 0: (None, None)}[sign] for sign in self.signs]
        found = minimize(
            loss, np.zeros(features.shape[1] + 1), jac=True, method="L-BFGS-B", bounds=[*bounds, (None, None)]
        )
        self.coef_, self.intercept_ = found.x[None, :-1], found.x[-1:]
        self.classes_ = np.array([False, True])
        return self

    def predict_proba(self, features: Floats) -> Floats:
        """Return the probabilities of the classes, shape (n, 2)."""
        likely = 1 / (1 + np.exp(-(features @ self.coef_[0] + self.intercept_[0])))
        return np.column_stack([1 - likely, likely])

    def predict(self, features: Floats) -> NDArray[np.bool_]:
        """Return the likelier class of each row."""
        return np.asarray(self.predict_proba(features)[:, 1] >= 0.5)

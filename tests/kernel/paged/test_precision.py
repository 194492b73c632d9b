"""How weights are held."""

from __future__ import annotations

import numpy as np
import openvino
import pytest
from numpy.typing import NDArray
from openvino import opset15 as op

from kernel.chat.paged.precision import PRECISIONS, Precision, matrix, rows_of

RANDOM = np.random.default_rng(0)
FLOAT = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}


def product(
    values: NDArray[np.float32], inputs: NDArray[np.float32], precision: Precision
) -> NDArray[np.float32]:
    given = op.parameter([-1, values.shape[1]], np.float32)
    graph = openvino.Model([op.matmul(given, matrix(values, precision), False, True)], [given])
    found: NDArray[np.float32] = openvino.Core().compile_model(graph, "CPU", FLOAT)(inputs)[0]
    return found


def error_of(precision: Precision) -> float:
    values = RANDOM.standard_normal((64, 96), dtype=np.float32)
    inputs = RANDOM.standard_normal((7, 96), dtype=np.float32)
    wanted = inputs @ values.T
    found = product(values, inputs, precision)
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


@pytest.mark.parametrize(
    ("precision", "most"),
    [("float32", 1e-5), ("bfloat16", 0.005), ("int8", 0.01), ("int8-weights", 0.01), ("int4-weights", 0.12)],
)
def test_a_product_errs_by_no_more_than_its_precision(precision: Precision, most: float) -> None:
    assert error_of(precision) < most


def test_coarser_weights_err_more() -> None:
    errors = [error_of(precision) for precision in ("float32", "bfloat16", "int8", "int4-weights")]
    assert errors == sorted(errors)


def test_weights_that_came_from_four_bits_are_what_they_were() -> None:
    codes = RANDOM.integers(0, 16, (8, 2, 32))
    codes[:, :, 0], codes[:, :, 1] = 0, 15  # as in Q4_1, whose scale runs from the least to the greatest
    scales = RANDOM.uniform(0.01, 0.1, (8, 2, 1))
    values = (codes * scales - 0.3).astype(np.float32).reshape(8, 64)
    inputs = np.eye(64, dtype=np.float32)
    np.testing.assert_allclose(product(values, inputs, "int4-weights"), values.T, atol=1e-5)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_row_of_zeros_and_rows_of_any_length_are_held(precision: Precision) -> None:
    values = RANDOM.standard_normal((6, 50), dtype=np.float32)
    values[2] = 0
    found = product(values, np.eye(50, dtype=np.float32), precision)
    assert np.isfinite(found).all()
    assert (found[:, 2] == 0).all()
    np.testing.assert_allclose(found, values.T, atol=0.05)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_rows_of_a_table_are_looked_up(precision: Precision) -> None:
    values = RANDOM.standard_normal((20, 16), dtype=np.float32)
    ids = op.parameter([-1], np.int64)
    graph = openvino.Model([rows_of(values, ids, precision)], [ids])
    found = openvino.Core().compile_model(graph, "CPU", FLOAT)(np.array([3, 19, 3]))[0]
    np.testing.assert_allclose(found, values[[3, 19, 3]], atol=0.02)

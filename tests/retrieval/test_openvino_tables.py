from __future__ import annotations

from typing import Any

import numpy as np
import openvino
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openvino import opset13 as operations

from retrieval.engines.openvino_tables import look_up_first

RANDOM = np.random.default_rng(5)
NUMBERS = RANDOM.integers(-127, 128, (50, 8)).astype(np.int8)


def model(numbers: Any, scales: Any) -> openvino.Model:
    ids = operations.parameter([-1, -1], np.int64, name="ids")
    table = operations.multiply(
        operations.convert(operations.constant(numbers), "f32"), operations.constant(scales)
    )
    found = operations.gather(table, ids, operations.constant(np.int64(0)))
    return openvino.Model([operations.tanh(found)], [ids], "looks up")


def states(made: openvino.Model, ids: Any) -> Any:
    return openvino.Core().compile_model(made, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([ids])[0]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 49), min_size=1, max_size=12))
def test_what_is_looked_up_first_is_the_very_same(ids: list[int]) -> None:
    scales = (0.001 + RANDOM.random((50, 1))).astype(np.float32)
    before, after = model(NUMBERS, scales), model(NUMBERS, scales)
    assert look_up_first(after) == 1
    asked = np.array([ids], np.int64)
    assert np.array_equal(states(before, asked), states(after, asked))


def test_the_table_stays_at_eight_bits() -> None:
    made = model(NUMBERS, np.ones((50, 1), np.float32))
    look_up_first(made)
    compiled = openvino.Core().compile_model(made, "CPU", {})
    outputs = [node.output(0) for node in compiled.get_runtime_model().get_ops()]
    tables = [each for each in outputs if str(each.get_partial_shape()) == "[50,8]"]
    assert [each.get_element_type().get_type_name() for each in tables] == ["i8"]


@pytest.mark.parametrize(
    "scales", [np.ones((1, 8), np.float32), np.float32(0.5), np.ones((50, 8), np.float32)]
)
def test_other_ways_to_scale_are_left_alone(scales: Any) -> None:
    made = model(NUMBERS, scales)
    before = [node.get_friendly_name() for node in made.get_ordered_ops()]
    assert look_up_first(made) == 0
    assert [node.get_friendly_name() for node in made.get_ordered_ops()] == before

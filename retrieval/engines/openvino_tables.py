"""Tables of embeddings that stay at eight bits a value in memory, looked up before they are made floats.

A quantised model multiplies the whole table of its words' embeddings with their scales before it looks any up, which
OpenVINO does once, when it compiles: 250,000 words of 384 values then take 384 MB. Looked up first, a word's values are
the very same, and the table stays as it is in the file.
"""

from __future__ import annotations

from typing import Any


def look_up_first(model: Any) -> int:
    """Change a model, an `openvino.Model`, in place; return how many tables it was done for."""
    from openvino import opset13 as operations

    changed = 0
    for gather in model.get_ops():
        if gather.get_type_name() != "Gather":
            continue
        product = gather.input_value(0).get_node()
        parts = _table_and_scales(product)
        if parts is None:
            continue
        table, scales = parts
        ids, axis = gather.input_value(1), gather.input_value(2)
        values = operations.convert(operations.gather(table, ids, axis), product.get_element_type())
        row = operations.multiply(values, operations.gather(scales, ids, axis))
        for target in gather.output(0).get_target_inputs():
            target.replace_source_output(row.output(0))
        changed += 1
    if changed:
        model.validate_nodes_and_infer_types()
    return changed


def _table_and_scales(product: Any) -> tuple[Any, Any] | None:
    """Return the two sides of whole numbers times a scale for each row; None where it is something else."""
    if product.get_type_name() != "Multiply":
        return None
    numbers, scales = (product.input_value(side).get_node() for side in (0, 1))
    if numbers.get_type_name() != "Convert" or scales.get_type_name() != "Constant":
        return None
    table = numbers.input_value(0)
    if table.get_node().get_type_name() != "Constant" or not table.get_element_type().is_integral():
        return None
    rows, of_scales = list(table.get_shape()), list(scales.output(0).get_shape())
    return (table, scales.output(0)) if of_scales == [rows[0], *[1] * (len(rows) - 1)] else None

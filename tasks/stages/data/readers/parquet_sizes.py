"""Memory that Arrow values would need as Python values, computed without creating the Python values."""

import pyarrow as pa
import pyarrow.compute as pc

VALUE_OVERHEAD_BYTES = 32
"""Memory that a Python value needs in addition to its content, in bytes."""


def estimate_python_bytes(batch: pa.RecordBatch) -> int:
    """Return the number of bytes that the values of a batch, including list items, would need as Python values."""
    return sum(map(_array_bytes, batch.columns))


def _array_bytes(values: pa.Array) -> int:
    kind, own = values.type, VALUE_OVERHEAD_BYTES * len(values)
    if pa.types.is_dictionary(kind):
        return own + _dictionary_text_bytes(values)
    if pa.types.is_struct(kind):
        return own + sum(map(_array_bytes, values.flatten()))
    if pa.types.is_map(kind):
        first, end = values.offsets[0].as_py(), values.offsets[-1].as_py()
        return own + sum(_array_bytes(side.slice(first, end - first)) for side in (values.keys, values.items))
    if pa.types.is_nested(kind):
        return own + _array_bytes(values.flatten())
    return own + values.nbytes


def _dictionary_text_bytes(values: pa.DictionaryArray) -> int:
    counted = values.indices.drop_null().value_counts()
    lengths = pc.binary_length(values.dictionary.take(counted.field("values")))
    return pc.sum(pc.multiply(pc.cast(lengths, pa.int64()), counted.field("counts"))).as_py() or 0

"""Reader of each kind of source."""

from tasks.stages.data.readers import csv_reader, jsonl_reader, parquet_reader
from tasks.stages.data.readers.rows import Reader

READERS: dict[str, Reader] = {
    "csv": csv_reader.read,
    "jsonl": jsonl_reader.read,
    "parquet": parquet_reader.read,
}

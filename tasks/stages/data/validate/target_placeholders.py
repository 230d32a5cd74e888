"""Targets with a placeholder that their prompt lacks, so that the model cannot tell from the prompt what to write.

Protection replaces equal values in all turns of a record by the same token (`tasks.stages.data.protect.propagation`).
So a prompt lacks a placeholder of its target only if the target names a person whom the prompt does not name, or spells
a value differently.
"""

import heapq
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from tasks.core.documents.config import FrozenModel
from tasks.core.facts import Fact
from tasks.core.records.record import read_batches
from tasks.stages.data.conversations import prompts, targets
from tasks.stages.data.protect.placeholders import PLACEHOLDER

FACT_NAME = "placeholders_only_in_target"
MAX_EXAMPLES = 5
BATCH = 5_000


class TargetPlaceholders(FrozenModel):
    """Counts of the targets with a placeholder that their prompt lacks."""

    records: int
    with_placeholder: int
    lacking: int
    """Number of records whose target has a placeholder that their prompt lacks."""
    examples: list[str]
    """Ids of records whose target has a placeholder that their prompt lacks: the smallest ids, at most MAX_EXAMPLES."""

    def to_fact(self) -> Fact:
        """Return the fraction of records with a placeholder only in the target, as a metric for the data gate."""
        share = f"{self.lacking:,} of {self.with_placeholder:,} targets with a placeholder"
        named = f": records {', '.join(self.examples)}" if self.examples else ""
        more = ", …" if self.lacking > len(self.examples) else ""
        return Fact(value=self.lacking / self.records if self.records else 0.0, note=f"{share}{named}{more}")


def count_target_placeholders(path: Path) -> TargetPlaceholders:
    """Count the targets with a placeholder that their prompt lacks, among the records that have a prompt."""
    records = with_placeholder = lacking = 0
    examples: list[str] = []
    for batch in read_batches(path, ["record_id", "messages"], BATCH):
        records += batch.num_rows
        for record_id, prompt, target in _rows_with_placeholders(batch):
            if wanted := _find_placeholders(target):
                with_placeholder += 1
                if prompt and not wanted <= _find_placeholders(prompt):
                    lacking += 1
                    examples = heapq.nsmallest(MAX_EXAMPLES, [*examples, record_id])
    return TargetPlaceholders(records=records, with_placeholder=with_placeholder, lacking=lacking, examples=examples)


def _rows_with_placeholders(batch: pa.RecordBatch) -> list[tuple[str, str, str]]:
    messages = batch["messages"]
    table = pa.table([batch["record_id"], prompts(messages), targets(messages)], ["id", "prompt", "target"])
    chosen = table.filter(pc.match_substring(table["target"], "["))
    return list(zip(*(chosen[name].to_pylist() for name in table.column_names), strict=True))


def _find_placeholders(text: str) -> set[str]:
    return {match[0] for match in PLACEHOLDER.finditer(text)}

"""Targets with a placeholder that their prompt lacks: nothing that the model is shown says what to write there.

Protection puts one token for one value into all turns of a record (`tasks.stages.data.protect.agree`). What is left is
a target that names somebody whom its prompt does not name, or another spelling of a value.
"""

import heapq
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from tasks.core.config import Frozen
from tasks.core.facts import Fact
from tasks.core.record import batches
from tasks.stages.data.conversations import prompts, targets
from tasks.stages.data.protect.placeholders import PLACEHOLDER

FACT = "placeholders_only_in_target"
EXAMPLES = 5
"""Records that are named."""
BATCH = 5_000
"""Records read together."""


class OnlyInTarget(Frozen):
    """How many targets cannot be told from their prompt."""

    records: int
    with_placeholder: int
    """Records whose target has a placeholder."""
    lacking: int
    """Of these, records whose prompt lacks one of them."""
    examples: list[str]
    """Ids of a few of those that lack one, the smallest."""

    def fact(self) -> Fact:
        """As the data gate judges it: a share of all records."""
        said = f"{self.lacking:,} of {self.with_placeholder:,} targets with a placeholder"
        named = f": records {', '.join(self.examples)}" if self.examples else ""
        more = ", …" if self.lacking > len(self.examples) else ""
        return Fact(value=self.lacking / self.records if self.records else 0.0, note=f"{said}{named}{more}")


def count(path: Path) -> OnlyInTarget:
    """Of a table of records. A target without a prompt (a plain text) is asked nothing, and lacks nothing."""
    records = with_placeholder = lacking = 0
    examples: list[str] = []
    for batch in batches(path, ["record_id", "messages"], BATCH):
        records += batch.num_rows
        for record_id, prompt, target in _masked(batch):
            if wanted := _placeholders(target):
                with_placeholder += 1
                if prompt and not wanted <= _placeholders(prompt):
                    lacking += 1
                    examples = heapq.nsmallest(EXAMPLES, [*examples, record_id])
    return OnlyInTarget(records=records, with_placeholder=with_placeholder, lacking=lacking, examples=examples)


def _masked(batch: pa.RecordBatch) -> list[tuple[str, str, str]]:
    """Id, prompt and target of the records whose target may hold a placeholder."""
    messages = batch["messages"]
    table = pa.table([batch["record_id"], prompts(messages), targets(messages)], ["id", "prompt", "target"])
    chosen = table.filter(pc.match_substring(table["target"], "["))
    return list(zip(*(chosen[name].to_pylist() for name in table.column_names), strict=True))


def _placeholders(text: str) -> set[str]:
    return {match[0] for match in PLACEHOLDER.finditer(text)}

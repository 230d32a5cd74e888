"""Facts: metrics and measurements that stages report and gates check.

A stage's `result.json` (digested) and `measured/STAGE/facts.json` (not digested) contain a `facts` mapping. Gates and
policies name a fact as `STAGE.NAME`, for example `evaluate.exact_match` or `measured.predict.latency_p95_ms`.
"""

from pathlib import Path
from typing import Any

from tasks.core.documents.config import FrozenModel
from tasks.core.documents.document import document_error_message
from tasks.core.errors import DOCUMENT_ERRORS, InputError
from tasks.core.files import read_stage_json

MAX_FACTS = 2_000
MAX_FACT_CHARS = 2_000
"""Maximum total number of characters in the name, unit and note of a fact."""


class Fact(FrozenModel):
    value: float
    """Value of the metric or measurement."""
    low: float | None = None
    """Lower end of the value's interval, if it has one."""
    high: float | None = None
    """Upper end of the value's interval, if it has one."""
    unit: str = ""
    """Unit that is printed after the value, such as rows, ms or USD; empty for fractions and counts."""
    note: str = ""
    """Short explanation of how the value is computed, for the person who decides at a gate."""

    def __str__(self) -> str:
        interval = f" [{self.low:.3f}, {self.high:.3f}]" if self.low is not None and self.high is not None else ""
        number = f"{self.value:,.0f}" if float(self.value).is_integer() and not interval else f"{self.value:.3f}"
        return f"{number}{' ' + self.unit if self.unit else ''}{interval}"


Facts = dict[str, Fact]


def facts_to_json(facts: Facts) -> dict[str, Any]:
    """Convert facts to JSON values. Fields that have their default value are left out."""
    return {name: fact.model_dump(exclude_defaults=True) for name, fact in sorted(facts.items())}


def facts_from_json(values: dict[str, Any]) -> Facts:
    return {name: Fact.model_validate(value) for name, value in values.items()}


def read_facts(path: Path) -> Facts:
    """Read the facts in a file that a stage wrote. The result is empty if the file does not exist.

    Raises:
        InputError: The file has no valid `facts` mapping, or exceeds a limit.
    """
    try:
        values = read_stage_json(path).get("facts", {})
        if len(values) > MAX_FACTS:
            raise ValueError(f"it has {len(values):,} figures, and what belongs there has {MAX_FACTS:,} at most")
        found = facts_from_json(values)
        if any(len(f"{name}{fact.unit}{fact.note}") > MAX_FACT_CHARS for name, fact in found.items()):
            raise ValueError(f"a figure has words of more than {MAX_FACT_CHARS:,} characters")
    except FileNotFoundError:
        return {}
    except (OSError, *DOCUMENT_ERRORS) as error:
        raise InputError(f"{path}: expected JSON with a `facts` mapping ({document_error_message(error)})") from None
    return found

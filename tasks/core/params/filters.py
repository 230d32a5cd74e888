"""Parameters of the filters of stage `clean`. They also serve as the list of these filters.

A new filter needs a line here, with the name of its rule, and a file `tasks/stages/data/clean/filters/RULE.py`. A
filter whose parameter is null or false is off. New filters are off by default, so that the results of existing
pipelines do not change.
"""

from typing import Annotated, NamedTuple, Self

from pydantic import Field, model_validator

from tasks.core.documents.config import FrozenModel


class QuarantineRule(NamedTuple):
    """Quarantine rule whose limit is set by the annotated parameter."""

    name: str


class RecordFilters(FrozenModel):
    """Filters that apply to individual records, in the order in which they are applied.

    If more than one filter would remove a record, the quarantine names the first one.
    """

    min_prompt_chars: Annotated[int, Field(ge=1), QuarantineRule("prompt_too_short")] = 1
    """Minimum number of characters in the prompt, which consists of all turns before the target. Records with a shorter
    prompt are quarantined."""
    max_prompt_chars: Annotated[int, Field(ge=1), QuarantineRule("prompt_too_long")] = 4000
    """Maximum number of characters in the prompt, which consists of all turns before the target. Records with a longer
    prompt are quarantined."""
    max_target_chars: Annotated[int, Field(ge=1), QuarantineRule("target_too_long")] = 4000
    """Maximum number of characters in the target. Records with a longer target are quarantined."""

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if self.min_prompt_chars > self.max_prompt_chars:
            raise ValueError(
                f"min_prompt_chars {self.min_prompt_chars} exceeds max_prompt_chars {self.max_prompt_chars}"
            )
        return self


FILTER_RULES: dict[str, str] = {
    rule.name: parameter
    for parameter, field in RecordFilters.model_fields.items()
    for rule in field.metadata
    if isinstance(rule, QuarantineRule)
}

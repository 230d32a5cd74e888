"""Parameters of the filters of stage `clean`, and with them the table of these filters.

A new filter is a line here, with the name of its rule, and a file `tasks/stages/data/clean/filters/RULE.py`. A filter
whose parameter is null or false is off; a new one is off by default, so that runs keep their results.
"""

from typing import Annotated, NamedTuple, Self

from pydantic import Field, model_validator

from tasks.core.documents.config import FrozenModel


class Rule(NamedTuple):
    """Rule in quarantine.parquet that a parameter sets the bound of."""

    name: str


class Filters(FrozenModel):
    """Filters of single records, in the order in which they are applied; the first that removes a record is told."""

    min_prompt_chars: Annotated[int, Field(ge=1), Rule("prompt_too_short")] = 1
    """Minimum number of characters of a conversation (all turns before the target); shorter ones are quarantined."""
    max_prompt_chars: Annotated[int, Field(ge=1), Rule("prompt_too_long")] = 4000
    """Maximum number of characters of a conversation (all turns before the target); longer ones are quarantined."""
    max_target_chars: Annotated[int, Field(ge=1), Rule("target_too_long")] = 4000
    """Maximum number of characters of a target; records with longer ones are quarantined."""

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if self.min_prompt_chars > self.max_prompt_chars:
            raise ValueError(
                f"min_prompt_chars {self.min_prompt_chars} exceeds max_prompt_chars {self.max_prompt_chars}"
            )
        return self


FILTER_RULES: dict[str, str] = {
    rule.name: parameter
    for parameter, field in Filters.model_fields.items()
    for rule in field.metadata
    if isinstance(rule, Rule)
}

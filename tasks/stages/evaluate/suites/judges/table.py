"""Union of all judges. `kind` in a suite selects the judge."""

from typing import Annotated

from pydantic import Field

from tasks.stages.evaluate.suites.judges.excludes import Excludes
from tasks.stages.evaluate.suites.judges.expected import ExpectedAnswer
from tasks.stages.evaluate.suites.judges.fields import AllowedFields
from tasks.stages.evaluate.suites.judges.includes import Includes
from tasks.stages.evaluate.suites.judges.keeps_system_prompt import KeepsSystemPrompt
from tasks.stages.evaluate.suites.judges.refusal import Refusal
from tasks.stages.evaluate.suites.judges.safe_to_render import SafeToRender
from tasks.stages.evaluate.suites.judges.same_label import SameLabel
from tasks.stages.evaluate.suites.judges.supported import Supported
from tasks.stages.evaluate.suites.judges.well_formed import WellFormed

Judge = Annotated[
    ExpectedAnswer
    | SameLabel
    | AllowedFields
    | Excludes
    | Includes
    | WellFormed
    | Supported
    | Refusal
    | SafeToRender
    | KeepsSystemPrompt,
    Field(discriminator="kind"),
]

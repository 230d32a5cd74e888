"""deployments.yaml: when runs are asked for by themselves, how many at once, and what happens where a stage fails."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from tasks.core import config
from tasks.core.config import Frozen
from tasks.core.graph import STAGES
from tasks.core.params.values import Name, Share
from tasks.incidents.signed_incident import What
from tasks.occasions import times
from tasks.occasions.durations import Duration, LocalMoment, spell
from tasks.occasions.pools import Named, Pool, missing

DEFAULT = "infra/prefect/deployments.yaml"
SOON = timedelta(minutes=1)
ANCHOR = datetime(2024, 1, 1)
"""From when an interval counts that names no anchor."""
Called = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
"""A schedule's or trigger's name: lower-case letters, digits and `-`, at most 40."""


def _spelled(changes: Any) -> Any:
    """Values of changes as their YAML text: `epochs: 2` and `epochs: "2"` are the same."""
    if not isinstance(changes, Mapping):
        return changes
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in changes.items()}


def _zone(name: str) -> str:
    times.zone(name)
    return name


def _cron(expression: str) -> str:
    times.require_cron(expression)
    return expression


def _no_shorter(length: timedelta) -> timedelta:
    if length < SOON:
        raise ValueError("expected at least one minute")
    return length


class Asks(Frozen):
    """What a run is asked for with."""

    params: str = "params.yaml"
    """Params file of the use case, committed; a relative path starts at the checkout."""
    changes: Annotated[dict[str, str], BeforeValidator(_spelled)] = {}
    """Overrides of single parameters by dotted key, as `--set` takes them."""
    pool: Named | None = None
    """Which of `pools` executes it; null: the runner of the machine that asks."""
    cool_down: Duration | None = None
    """How long after a run of this name no other is asked for; what comes meanwhile is passed over."""


class Schedule(Asks):
    """When a run is asked for by the clock: `cron` or `every`."""

    cron: Annotated[str, AfterValidator(_cron)] | None = None
    """Five fields: minute, hour, day of month, month, day of week."""
    every: Annotated[Duration, AfterValidator(_no_shorter)] | None = None
    """An interval of time as it passes, at least a minute; a day has 24 hours."""
    anchor: LocalMoment | None = None
    """From when `every` counts, by the clock of `timezone`; null: 2024-01-01 00:00."""
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    """Name in the IANA database, as in Europe/Berlin."""
    missed: Literal["skip", "latest"] = "skip"
    """What becomes of the times that passed while nothing ran: none is made up for, or the last one is."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.cron is None) == (self.every is None):
            raise ValueError("expected either `cron` or `every`")
        if self.anchor and self.every is None:
            raise ValueError("`anchor` belongs to `every`; take it out")
        if self.anchor and not 1970 <= self.anchor.year <= 2100:
            raise ValueError(f"expected an `anchor` in the years 1970 to 2100, got {self.anchor.year}")
        return self

    @property
    def timing(self) -> dict[str, Any]:
        """What decides when it is due. Where that changes, nothing before the change is due by it."""
        return self.model_dump(mode="json", include={"cron", "every", "anchor", "timezone"})

    @property
    def in_words(self) -> str:
        if self.cron:
            return f"{self.cron} {self.timezone}"
        assert self.every is not None
        return f"every {spell(self.every)}"

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Every time later than `moment` at which it is due, in UTC."""
        if self.cron:
            return times.cron_after(self.cron, times.zone(self.timezone), moment)
        assert self.every is not None
        return times.every_after(self.every, self._anchor(), moment)

    def newest(self, since: datetime, upto: datetime) -> datetime | None:
        """The last time later than `since` and not later than `upto` at which it is due."""
        if self.cron:
            return times.newest(self.cron, times.zone(self.timezone), since, upto)
        assert self.every is not None
        number = (upto - self._anchor()) // self.every
        last = self._anchor() + number * self.every
        return last if number >= 0 and since < last else None

    def local(self, moment: datetime) -> str:
        """A time as the clock on the wall shows it there."""
        return f"{moment.astimezone(times.zone(self.timezone)):%Y-%m-%d %H:%M:%S}".removesuffix(":00")

    def _anchor(self) -> datetime:
        """In UTC: between moments of one zone Python counts by the clock on the wall."""
        return (self.anchor or ANCHOR).replace(tzinfo=times.zone(self.timezone)).astimezone(UTC)


class Watches(Asks):
    @property
    def timing(self) -> dict[str, Any]:
        """What decides what it answers to. Where that changes, nothing before the change counts."""
        return self.model_dump(mode="json", exclude=set(Asks.model_fields))


class SourceChanged(Watches):
    """The content of sources differs from what it was when a run was last asked for."""

    on: Literal["source_changed"]
    """`source_changed`"""
    sources: list[Name] | None = None
    """Ids in sources.yaml; null: all of them."""
    beyond: Share = 0.0
    """Share of a source's distinct lines that have to be new or gone, of all that are in either; 0: any change. Exact
    up to 4,096 lines, and an estimate from 4,096 of them beyond (standard error 0.008 at most). What is packed or
    binary changes as a whole."""
    look: Annotated[Duration, AfterValidator(_no_shorter)] = timedelta(minutes=10)
    """How often the sources are read for that."""


class GovernanceChanged(Watches):
    """Policy or people were adopted."""

    on: Literal["governance_changed"]
    """`governance_changed`"""


class CardChanged(Watches):
    """The use-case card of `params` was adopted anew."""

    on: Literal["card_changed"]
    """`card_changed`"""


class PromptsChanged(Watches):
    """The prompts of `params`, as the checkout's HEAD has them, differ from those of its last run."""

    on: Literal["prompts_changed"]
    """`prompts_changed`"""


class WaiverExpiring(Watches):
    """A waiver that the champion of `params` relies on is about to expire."""

    on: Literal["waiver_expiring"]
    """`waiver_expiring`"""
    days_before: Annotated[int, Field(ge=0, le=366)] = 14
    """Days before its end."""


class IncidentOpened(Watches):
    """An incident was opened."""

    on: Literal["incident"]
    """`incident`"""
    what: list[What] = []
    """Kinds of incidents; empty: any."""


class Event(Watches):
    """Somebody reports it with `hallmark trigger`, or a machine does."""

    on: Literal["event"]
    """`event`"""


Trigger = Annotated[
    SourceChanged | GovernanceChanged | CardChanged | PromptsChanged | WaiverExpiring | IncidentOpened | Event,
    Field(discriminator="on"),
]


class Retry(Frozen):
    """How often a stage is tried again after a failure of one kind, and how long is waited before."""

    times: Annotated[int, Field(ge=1, le=20)]
    """Tries after the first."""
    wait: Duration = timedelta(seconds=30)
    """Before the first of them."""
    factor: Annotated[float, Field(ge=1, le=10)] = 2.0
    """By which each wait is longer than the one before."""
    at_most: Duration = timedelta(minutes=30)
    """The longest wait."""

    def waits(self) -> list[float]:
        """Seconds before each try after the first."""
        longest = self.at_most.total_seconds()
        return [min(longest, self.wait.total_seconds() * self.factor**number) for number in range(self.times)]


class Retries(Frozen):
    """By kind of failure. What a person has to mend is never tried again: a wrong input, a check that says no."""

    away: Retry | None = None
    """Something needed is away: a store, a disk without space, a cluster."""
    died: Retry | None = None
    """The stage ended without a word: killed, out of memory, a defect."""
    late: Retry | None = None
    """It took longer than `timeouts` says."""


def _stage(name: str) -> str:
    if name not in STAGES:
        raise ValueError(f"there is no stage {name!r}; there are {', '.join(STAGES)}")
    return name


class Deployments(Frozen):
    """deployments.yaml"""

    schedules: dict[Called, Schedule] = {}
    """Runs by the clock, by name."""
    triggers: dict[Called, Trigger] = {}
    """Runs for a reason, by name."""
    pools: dict[Named, Pool] = {}
    """Machines that take runs from one queue, by name."""
    concurrency: Annotated[int, Field(ge=1, le=64)] | None = None
    """Runs that a runner executes at once, from its next start on; a parked run is none. Null: 5."""
    retries: Retries = Retries()
    """What is tried again, and how often."""
    timeouts: dict[Annotated[str, AfterValidator(_stage)], Duration] = {}
    """The longest that a stage may take, by stage; without one it takes as long as it takes."""

    @model_validator(mode="after")
    def _names_are_of_one(self) -> Self:
        if both := sorted(set(self.schedules) & set(self.triggers)):
            raise ValueError(f"{', '.join(both)}: the name of a schedule and of a trigger; give one of them another")
        if wrong := missing(self.named, self.pools):
            raise ValueError("; ".join(wrong) + f"; there are {', '.join(self.pools) or 'none'}")
        return self

    @property
    def named(self) -> dict[str, Schedule | Watches]:
        """Schedules and triggers by name."""
        return {**self.schedules, **self.triggers}

    def timeout(self, stage: str) -> float | None:
        """Seconds that a stage may take, by the name that DVC knows; None: any number."""
        given = self.timeouts.get(stage.partition("@")[0])
        return given.total_seconds() if given else None


def load(path: Path) -> Deployments:
    """Raises InputError with every mistake and its line."""
    return config.load(path, Deployments)

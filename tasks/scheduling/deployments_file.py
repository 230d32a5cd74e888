"""deployments.yaml: schedules and triggers that request runs, work pools, and retries and timeouts of stages."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from tasks.core.documents import config
from tasks.core.documents.config import FrozenModel
from tasks.core.graph import STAGES
from tasks.core.params.values import Name, Share
from tasks.incidents.signed_incident import IncidentKind
from tasks.scheduling import times
from tasks.scheduling.durations import Duration, LocalTime, format_duration
from tasks.scheduling.pools import Pool, PoolName, find_undeclared_pools

DEFAULT_PATH = "infra/prefect/deployments.yaml"
MIN_INTERVAL = timedelta(minutes=1)
DEFAULT_ANCHOR = datetime(2024, 1, 1)
"""Local time from which a schedule's intervals are counted if the schedule has no `anchor`."""
OpenRunRule = Literal["queue", "skip", "replace"]
DeploymentName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]


def _with_yaml_values(changes: Any) -> Any:
    """Convert the values of changes to YAML text, so that `epochs: 2` and `epochs: "2"` are the same."""
    if not isinstance(changes, Mapping):
        return changes
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in changes.items()}


def _require_known_zone(name: str) -> str:
    times.get_time_zone(name)
    return name


def _require_valid_cron(expression: str) -> str:
    times.require_cron(expression)
    return expression


def _require_min_interval(length: timedelta) -> timedelta:
    if length < MIN_INTERVAL:
        raise ValueError("expected at least one minute")
    return length


class RunSettings(FrozenModel):
    """Settings of the runs that a schedule or trigger requests."""

    params: str = "params.yaml"
    """Params file of the use case. It must be committed. A relative path is relative to the checkout."""
    changes: Annotated[dict[str, str], BeforeValidator(_with_yaml_values)] = {}
    """Parameter overrides by dotted key, as for the option `--set`."""
    pool: PoolName | None = None
    """Name of the work pool that executes the runs, as declared in `pools`; null for the runner on the machine that
    requests them."""
    open_run: OpenRunRule = "queue"
    """Rule for a schedule or trigger that fires while an earlier run of it is open. `queue`: another run is
    requested. `skip`: none is requested. `replace`: another run is requested, and the gates at which earlier runs wait
    are closed, which ends these runs."""
    cool_down: Duration | None = None
    """Time after a run request during which this schedule or trigger requests no other run. Due times and events in
    this time are skipped."""


class Schedule(RunSettings):
    """Rule that requests runs at certain times, given by either `cron` or `every`."""

    cron: Annotated[str, AfterValidator(_require_valid_cron)] | None = None
    """Cron expression with five fields: minute, hour, day of month, month, day of week."""
    every: Annotated[Duration, AfterValidator(_require_min_interval)] | None = None
    """Interval between runs, at least one minute. It is elapsed time, so a day always has 24 hours."""
    anchor: LocalTime | None = None
    """Local time in `timezone` from which the intervals of `every` are counted; null for 2024-01-01 00:00."""
    timezone: Annotated[str, AfterValidator(_require_known_zone)] = "UTC"
    """Name of the time zone in the IANA database, such as Europe/Berlin."""
    missed: Literal["skip", "latest"] = "skip"
    """Handling of due times that passed while Hallmark was not running: `skip` requests no run for them, `latest`
    requests one run for the last of them."""

    @model_validator(mode="after")
    def _require_cron_or_every(self) -> Self:
        if (self.cron is None) == (self.every is None):
            raise ValueError("expected either `cron` or `every`")
        if self.anchor and self.every is None:
            raise ValueError("`anchor` belongs to `every`; take it out")
        if self.anchor and not 1970 <= self.anchor.year <= 2100:
            raise ValueError(f"expected an `anchor` in the years 1970 to 2100, got {self.anchor.year}")
        return self

    @property
    def timing(self) -> dict[str, Any]:
        """Settings that determine when the schedule is due. If they change, earlier due times are dropped."""
        return self.model_dump(mode="json", include={"cron", "every", "anchor", "timezone"})

    @property
    def in_words(self) -> str:
        if self.cron:
            return f"{self.cron} {self.timezone}"
        assert self.every is not None
        return f"every {format_duration(self.every)}"

    def due_times_after(self, moment: datetime) -> Iterator[datetime]:
        if self.cron:
            return times.cron_times_after(self.cron, times.get_time_zone(self.timezone), moment)
        assert self.every is not None
        return times.interval_times_after(self.every, self._anchor_in_utc(), moment)

    def last_due_time(self, since: datetime, upto: datetime) -> datetime | None:
        """Return the last due time after `since` and up to `upto`, or None if there is none."""
        if self.cron:
            return times.last_cron_time(self.cron, times.get_time_zone(self.timezone), since, upto)
        assert self.every is not None
        number = (upto - self._anchor_in_utc()) // self.every
        last = self._anchor_in_utc() + number * self.every
        return last if number >= 0 and since < last else None

    def format_local_time(self, moment: datetime) -> str:
        return f"{moment.astimezone(times.get_time_zone(self.timezone)):%Y-%m-%d %H:%M:%S}".removesuffix(":00")

    def _anchor_in_utc(self) -> datetime:
        """Return the anchor in UTC, because Python ignores clock changes when it subtracts times of the same zone."""
        return (self.anchor or DEFAULT_ANCHOR).replace(tzinfo=times.get_time_zone(self.timezone)).astimezone(UTC)


class TriggerSettings(RunSettings):
    @property
    def timing(self) -> dict[str, Any]:
        """Settings that determine which events fire the trigger. If they change, earlier events are dropped."""
        return self.model_dump(mode="json", exclude=set(RunSettings.model_fields))


class SourceChanged(TriggerSettings):
    """Trigger that fires if the content of a source has changed since a run was last requested."""

    on: Literal["source_changed"]
    """Kind of trigger: `source_changed`."""
    sources: list[Name] | None = None
    """Ids of the sources in sources.yaml to watch; null for all sources."""
    beyond: Share = 0.0
    """Fraction of changed lines (0 to 1) above which the trigger fires; 0 for any change. The fraction is the number of
    distinct lines that only one of the two versions has, divided by the number of distinct lines in both versions
    together. It is exact up to 4,096 lines. Above that, it is an estimate with a standard error of at most 0.008. A
    compressed or binary file counts as changed as a whole."""
    look: Annotated[Duration, AfterValidator(_require_min_interval)] = timedelta(minutes=10)
    """Interval between two checks of the sources."""


class GovernanceChanged(TriggerSettings):
    """Trigger that fires when a change of policy or people is adopted."""

    on: Literal["governance_changed"]
    """Kind of trigger: `governance_changed`."""


class CardChanged(TriggerSettings):
    """Trigger that fires when the use-case card of `params` is adopted again."""

    on: Literal["card_changed"]
    """Kind of trigger: `card_changed`."""


class PromptsChanged(TriggerSettings):
    """Trigger that fires if the prompts in `params` at HEAD differ from those of the last run with this file."""

    on: Literal["prompts_changed"]
    """Kind of trigger: `prompts_changed`."""


class WaiverExpiring(TriggerSettings):
    """Trigger that fires when a waiver is about to expire on which the champion of the use case in `params` relies."""

    on: Literal["waiver_expiring"]
    """Kind of trigger: `waiver_expiring`."""
    days_before: Annotated[int, Field(ge=0, le=366)] = 14
    """Number of days before the waiver expires at which the trigger fires."""


class IncidentOpened(TriggerSettings):
    """Trigger that fires when an incident is opened."""

    on: Literal["incident"]
    """Kind of trigger: `incident`."""
    what: list[IncidentKind] = []
    """Kinds of incidents that fire the trigger; empty for all kinds."""


class EventReported(TriggerSettings):
    """Trigger that fires on events that people or machines report with `hallmark trigger`."""

    on: Literal["event"]
    """Kind of trigger: `event`."""


Trigger = Annotated[
    SourceChanged | GovernanceChanged | CardChanged | PromptsChanged | WaiverExpiring | IncidentOpened | EventReported,
    Field(discriminator="on"),
]


class Retry(FrozenModel):
    """Retry settings of stages for one kind of failure."""

    times: Annotated[int, Field(ge=1, le=20)]
    """Maximum number of retries."""
    wait: Duration = timedelta(seconds=30)
    """Waiting time before the first retry."""
    factor: Annotated[float, Field(ge=1, le=10)] = 2.0
    """Factor by which the waiting time grows with each retry."""
    at_most: Duration = timedelta(minutes=30)
    """Maximum waiting time between two attempts."""

    def wait_seconds(self) -> list[float]:
        longest = self.at_most.total_seconds()
        return [min(longest, self.wait.total_seconds() * self.factor**number) for number in range(self.times)]


class Retries(FrozenModel):
    """Retry settings by kind of failure. Failures that people must correct, such as wrong input, are not retried."""

    away: Retry | None = None
    """Retries if a resource is unavailable, such as an object store, disk space or a cluster."""
    died: Retry | None = None
    """Retries if the stage ended without an error message, for example because it was killed, ran out of memory or
    crashed."""
    late: Retry | None = None
    """Retries if the stage took longer than `timeouts` allows."""


def _require_known_stage(name: str) -> str:
    if name not in STAGES:
        raise ValueError(f"there is no stage {name!r}; there are {', '.join(STAGES)}")
    return name


class Deployments(FrozenModel):
    """Content of deployments.yaml."""

    schedules: dict[DeploymentName, Schedule] = {}
    """Schedules by name."""
    triggers: dict[DeploymentName, Trigger] = {}
    """Triggers by name."""
    pools: dict[PoolName, Pool] = {}
    """Work pools by name. The machines of a work pool take runs from one queue."""
    concurrency: Annotated[int, Field(ge=1, le=64)] | None = None
    """Maximum number of runs that a runner executes at once; null for 5. Suspended runs do not count. A change takes
    effect when the runner is restarted."""
    retries: Retries = Retries()
    """Retry settings for failed stages."""
    timeouts: dict[Annotated[str, AfterValidator(_require_known_stage)], Duration] = {}
    """Maximum duration of each stage, by stage name. A stage without an entry has no limit."""

    @model_validator(mode="after")
    def _require_unique_names(self) -> Self:
        if both := sorted(set(self.schedules) & set(self.triggers)):
            raise ValueError(f"{', '.join(both)}: the name of a schedule and of a trigger; give one of them another")
        if wrong := find_undeclared_pools(self.named, self.pools):
            raise ValueError("; ".join(wrong) + f"; there are {', '.join(self.pools) or 'none'}")
        return self

    @property
    def named(self) -> dict[str, Schedule | TriggerSettings]:
        return {**self.schedules, **self.triggers}

    def timeout(self, stage: str) -> float | None:
        """Return the time limit of a stage in seconds, by the stage's name in DVC, or None for no limit."""
        given = self.timeouts.get(stage.partition("@")[0])
        return given.total_seconds() if given else None


def load_deployments(path: Path) -> Deployments:
    return config.load_settings(path, Deployments)

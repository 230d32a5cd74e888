"""Leases in the ledger's database, which decide which of several machines does work that is needed only once.

Leases save work, but correctness does not depend on them. Two processes may both believe that they hold a lease, so all
work under a lease has the same result if it is done twice. A wrong clock, or a change of this table by hand, can only
cause work to be done twice or late.

The time is that of the database server, or with SQLite that of this machine, which all processes share. A process that
stops renewing loses the lease after LEASE_DURATION. A lease that ends more than two LEASE_DURATIONs ahead was written
before the clock was set back, and counts as over.
"""

import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, TypeVar

from sqlalchemy import BigInteger, Column, Engine, MetaData, Table, Text, func, select
from sqlalchemy.engine import Connection

from tasks.core.databases import database, migrations
from tasks.core.databases.migrations import Schema
from tasks.core.utc import to_utc
from tasks.ledger import ledger

Value = TypeVar("Value")
LEASE_DURATION = timedelta(seconds=30)
SUSPEND_AWARE_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)
"""Clock that also runs while the machine is suspended; None on macOS, where time.monotonic is used instead."""
METADATA = MetaData()
LEASES = Table(
    "hallmark_leases",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),  # empty after `release`
    Column("place", Text, nullable=False),
    Column("since", Text, nullable=False),  # like `until` in UTC, ISO 8601
    Column("until", Text, nullable=False),
    Column("come", BigInteger),
    comment="who does what one machine does for all; nothing is proven by it",
)
INVALID_POSITION = 2**63 - 1
"""Position that is returned if the stored value is not a number, which SQLite does not prevent. It lies beyond the end
of any ledger."""
SCHEMA = Schema("leases", METADATA, METADATA.create_all)


class Lease(NamedTuple):
    name: str
    owner: str
    """Id of the process or installation that holds the lease; empty if the lease was released."""
    place: str
    since: datetime
    until: datetime

    def is_over(self, now: datetime) -> bool:
        return not self.owner or not now < self.until <= now + 2 * LEASE_DURATION


class Leases:
    """Leases in a database. Every method raises Unavailable if the database cannot be reached."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._prepared = False

    def acquire(self, name: str, owner: str, place: str) -> Lease:
        """Take or renew a lease unless another owner holds it.

        Returns:
            The lease that is valid afterwards, whoever owns it.
        """

        def turn(connection: Connection) -> Lease:
            now, held = self._now(connection), _read_lease(connection, name)
            if held and held.owner != owner and not held.is_over(now):
                return held
            since = held.since if held and held.owner == owner and not held.is_over(now) else now
            mine = Lease(name, owner, place, since, now + LEASE_DURATION)
            _write_lease(connection, mine)
            return mine

        return self._run_transaction(turn)

    def release(self, name: str, owner: str) -> None:
        def turn(connection: Connection) -> None:
            held = _read_lease(connection, name)
            if held and held.owner == owner:
                _write_lease(connection, held._replace(owner="", until=self._now(connection)))

        self._run_transaction(turn)

    def read_lease(self, name: str) -> tuple[Lease | None, datetime]:
        """Return the current or last lease with this name, and the database's time. Nothing is written."""
        with self._reading() as connection:
            has_tables = migrations.read_schema_version(connection, SCHEMA) is not None
            return _read_lease(connection, name) if has_tables else None, self._now(connection)

    def live_leases(self, prefix: str) -> list[Lease]:
        """Return the leases whose name begins with `prefix` and that somebody holds now, by name."""
        named = select(LEASES.c.name).where(LEASES.c.name.startswith(prefix, autoescape=True)).order_by(LEASES.c.name)
        with self._reading() as connection:
            if migrations.read_schema_version(connection, SCHEMA) is None:
                return []
            now = self._now(connection)
            found = [_read_lease(connection, name) for name in connection.scalars(named).all()]
        return [lease for lease in found if lease and not lease.is_over(now)]

    def read_position(self, name: str) -> int | None:
        """Return the number of the last ledger entry that holders of the lease have processed, or None if unknown."""
        with self._reading() as connection:
            has_tables = migrations.read_schema_version(connection, SCHEMA) is not None
            position = connection.scalar(select(LEASES.c.come).where(LEASES.c.name == name)) if has_tables else None
        return position if position is None or isinstance(position, int) else INVALID_POSITION

    def advance_position(self, name: str, seq: int) -> None:
        def turn(connection: Connection) -> None:
            if not connection.scalar(select(func.count()).where(LEASES.c.name == name)):
                now = self._now(connection)
                _write_lease(connection, Lease(name, "", "", now, now))
            further = LEASES.update().where(LEASES.c.name == name, func.coalesce(LEASES.c.come, -1) < seq)
            connection.execute(further.values(come=seq))

        self._run_transaction(turn)

    def reset_position(self, name: str, seq: int) -> None:
        """Move the position back, for example if it lies beyond the end of a ledger that was restored from a backup."""
        back = LEASES.update().where(LEASES.c.name == name).values(come=seq)
        self._run_transaction(lambda connection: connection.execute(back))

    def _run_transaction(self, turn: Callable[[Connection], Value]) -> Value:
        with self._translating_errors():
            if not self._prepared:
                migrations.migrate(self._engine, SCHEMA)
                self._prepared = True
            with self._engine.begin() as connection:
                return turn(connection)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._translating_errors(), self._engine.connect().execution_options(takes_turn=False) as connection:
            yield connection

    def _translating_errors(self) -> AbstractContextManager[None]:
        return database.translate_database_errors(
            f"the ledger at {self._engine.url.render_as_string(hide_password=True)}"
        )

    def _now(self, connection: Connection) -> datetime:
        if self._engine.dialect.name == "sqlite":
            return datetime.now(UTC)
        return connection.scalars(select(func.clock_timestamp())).one().astimezone(UTC)


class LeaseKeeper:
    def __init__(self, leases: Leases, name: str, installation: str, one_owner: bool = False) -> None:
        """Initialise without taking the lease.

        Args:
            leases: Leases of the database.
            name: Name of the lease.
            installation: Id of the installation.
            one_owner: Whether all processes of the installation count as one owner. Set it only if something else, such
                as a file lock, keeps them from working at the same time.
        """
        self._leases, self._name = leases, name
        self._owner = installation if one_owner else f"{installation}/{os.getpid()}/{secrets.token_hex(4)}"
        self._place = f"{socket.gethostname()}, installation {installation}, process {os.getpid()}"
        self._until = 0.0

    @property
    def is_held(self) -> bool:
        """Whether this process holds the lease, judged by its own clock and the time of its last renewal."""
        return _clock() < self._until

    def renew(self) -> Lease:
        """Take or renew the lease, and return the lease that is valid afterwards, whoever owns it.

        Raises:
            Unavailable: The database cannot be reached. A lease that this process already holds stays valid until its
                end.
        """
        asked = _clock()
        lease = self._leases.acquire(self._name, self._owner, self._place)
        self._until = asked + LEASE_DURATION.total_seconds() if lease.owner == self._owner else 0.0
        return lease

    def release(self) -> None:
        self._until = 0.0
        self._leases.release(self._name, self._owner)


def _clock() -> float:
    """Return a time in seconds that keeps running while the machine is suspended, unlike Linux's monotonic clock."""
    return time.clock_gettime(SUSPEND_AWARE_CLOCK) if SUSPEND_AWARE_CLOCK is not None else time.monotonic()


def open_leases(state: Path) -> Leases:
    """Return the leases in the ledger's database. Their table is created when the first lease is taken."""
    return Leases(ledger.ledger_engine(state))


def _read_lease(connection: Connection, name: str) -> Lease | None:
    row = connection.execute(select(LEASES).where(LEASES.c.name == name)).first()
    try:
        return Lease(row.name, row.owner, row.place, _parse_time(row.since), _parse_time(row.until)) if row else None
    except (TypeError, ValueError):
        return None


def _parse_time(spelled: str) -> datetime:
    return to_utc(datetime.fromisoformat(spelled))


def _write_lease(connection: Connection, lease: Lease) -> None:
    row = lease._asdict() | {"since": lease.since.isoformat(), "until": lease.until.isoformat()}
    if not connection.execute(LEASES.update().where(LEASES.c.name == lease.name).values(row)).rowcount:
        connection.execute(LEASES.insert().values(row))

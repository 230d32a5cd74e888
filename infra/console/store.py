"""The console's own database, `.hallmark/console/console.db`: accounts and sessions, nothing that anybody signed."""

from pathlib import Path

from sqlalchemy import Column, DateTime, Engine, Integer, MetaData, String, Table

from tasks.core import database
from tasks.core.database import reaching

METADATA = MetaData()
ACCOUNTS = Table(
    "accounts",
    METADATA,
    Column("person", String, primary_key=True),
    Column("password", String, nullable=False),  # argon2's own text: parameters, salt and digest
    Column("failed", Integer, nullable=False, default=0),  # wrong passwords since the last right one
    Column("locked_until", DateTime),
)
DEVICES = Table(  # browsers in which somebody has signed in before: nobody else can lock them out there
    "devices",
    METADATA,
    Column("token_sha256", String, primary_key=True),
    Column("person", String, nullable=False, index=True),
    Column("failed", Integer, nullable=False, default=0),  # wrong passwords there since the last right one
    Column("seen", DateTime, nullable=False),
)
SESSIONS = Table(
    "sessions",
    METADATA,
    Column("token_sha256", String, primary_key=True),
    Column("person", String, nullable=False, index=True),
    Column("form_token", String, nullable=False),  # what every form of this session carries
    Column("began", DateTime, nullable=False),
    Column("seen", DateTime, nullable=False),
)


def open_store(state: Path) -> Engine:
    """The database, made where there is none. Raises Unavailable."""
    engine = database.sqlite(state / "console" / "console.db")
    with reaching("the console's database"):
        METADATA.create_all(engine)
    return engine

"""Database of the console, `.hallmark/console/console.db`: accounts, known browsers and sessions.

None of its content is signed.
"""

from pathlib import Path

from sqlalchemy import Column, DateTime, Engine, Integer, MetaData, String, Table

from tasks.core.databases import database
from tasks.core.databases.database import translate_database_errors

METADATA = MetaData()
ACCOUNTS = Table(
    "accounts",
    METADATA,
    Column("person", String, primary_key=True),
    Column("password", String, nullable=False),  # in argon2's encoding: parameters, salt and digest
    Column("failed", Integer, nullable=False, default=0),  # wrong passwords since the last right one
    Column("locked_until", DateTime),
)
DEVICES = Table(  # browsers in which a person has signed in before: nobody else can lock the person out there
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
    Column("form_token", String, nullable=False),  # sent with every form of this session
    Column("began", DateTime, nullable=False),
    Column("seen", DateTime, nullable=False),
)


def open_database(state: Path) -> Engine:
    engine = database.sqlite_engine(state / "console" / "console.db")
    with translate_database_errors("the console's database"):
        METADATA.create_all(engine)
    return engine

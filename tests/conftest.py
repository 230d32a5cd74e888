"""Set-up, fixtures and pytest hooks of all tests."""

import gc
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from hypothesis import settings
from xdist.workermanage import NodeManager

from tests import costs, environment, patience, soaking, temporary
from tests.shared import first_alone
from tests.slow_files import SECONDS

if TYPE_CHECKING:
    from tests.checkouts import Checkouts
    from tests.prefect_server import Server

# The duration of an example depends on the machine and its other processes, not on the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
COMPILES = "PYTEST_COMPILES"
"""Environment variable: not empty if pytest has yet to compile the tests with its assertion rewriting."""
environment.keep_bytecode()

# Set once, by the process that starts the workers, which inherit it.
if not IS_WORKER:
    environment.make_own()
    os.environ[COMPILES] = "" if environment.needs_no_compiling() else "yes"
    os.environ[patience.SLOWNESS] = f"{patience.measure_slowness():.2f}"
    os.environ[costs.SESSION] = uuid4().hex

# A process that a shell starts in the background ignores SIGINT, and so would the processes that a test interrupts.
# SIGTERM (`timeout`) and SIGHUP (a closed terminal) raise KeyboardInterrupt, so that the session stops its services.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGTERM, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as `nohup` has it
    signal.signal(signal.SIGHUP, signal.default_int_handler)

# Processes of several tests share the cores, and waiting OpenMP threads would take them from the others.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Only tests/infra/test_tracking.py needs MLflow's pages, so `hallmark up` does not start them in other tests.
os.environ.setdefault("HALLMARK_MLFLOW_PORT", "off")

ROOT = Path(__file__).parents[1]
RARELY = (700, 10, 100)
"""Thresholds of Python's garbage collection during tests. Old objects are looked at ten times less often."""
_broken = Event()
"""Whether a hook of pytest failed in this process or in one of its workers."""
UMASK = os.umask(0o022)
os.umask(UMASK)


@pytest.fixture(autouse=True)
def own_umask() -> Iterator[None]:
    """Restore the umask after each test: commands that a test calls in this process change it."""
    os.umask(UMASK)
    yield
    os.umask(UMASK)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that all processes of this session share (tests/shared.py)."""
    return _shared(tmp_path_factory)


def _shared(temporary: pytest.TempPathFactory) -> Path:
    base = temporary.getbasetemp()
    folder = (base.parent if IS_WORKER else base) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def checkouts(shared: Path) -> "Checkouts":
    """Finished checkouts to copy, which all processes of this session share."""
    from tests.checkouts import Checkouts

    return Checkouts(shared / "checkouts")


@pytest.fixture(scope="session")
def postgres(shared: Path) -> Iterator[str]:
    """URL of the session's Postgres, in which each test creates its own database (tests/governed/postgres.py)."""
    from tests.governed.postgres import shared_cluster

    with shared_cluster(shared) as url:
        yield url


@pytest.fixture(scope="session")
def object_store(shared: Path) -> Iterator[str]:
    """URL of the session's S3-compatible store, in which each test creates its own bucket (tests/object_store.py)."""
    from tests.object_store import shared_store

    with shared_store(shared) as url:
        yield url


@pytest.fixture(scope="session")
def prefect_server(shared: Path, checkouts: "Checkouts") -> "Iterator[Server]":
    """Prefect server of the session, which the projects of tests share (tests/prefect_server.py)."""
    from tests.prefect_server import shared_server

    with shared_server(shared, checkouts) as server:
        yield server


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="Without the files in tests/slow_files.py.")
    parser.addoption("--soak", choices=("no", "only", "too"), default="no", help="What to do with tests marked `soak`.")
    parser.addoption("--costs", type=Path, help="Write the cost of each file to this file, as JSON.")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if config.option.basetemp is None:  # pytest-xdist sets it for workers
        config.option.basetemp = temporary.of_session()
    NodeManager.EXIT_TIMEOUT = patience.patience(60)  # time for services to end
    costs.register(config)
    if config.getoption("--soak") == "only" and not hasattr(config, "workerinput"):
        config.pluginmanager.register(soaking.Report())


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skip slow files with `--quick`, without importing them."""
    return True if config.getoption("--quick") and _seconds(collection_path) else None


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Collect tests; the first worker does so alone if tests must be compiled, which takes 9 CPU seconds."""
    with unexamined_by_garbage_collection():
        if not (IS_WORKER and os.environ[COMPILES]):
            return (yield)
        with first_alone(_shared(session.config._tmp_path_factory), "collection"):  # type: ignore[attr-defined]
            return (yield)


@contextmanager
def unexamined_by_garbage_collection() -> Iterator[None]:
    """Collect no garbage in this block, and rarely look at old objects after it.

    Imported modules live until the end, and looking through them took a tenth of the CPU time of a test.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(*RARELY)
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_internalerror() -> Iterator[None]:
    """Note the error: pytest-xdist 3.8 drops the other tests of a worker whose hook fails, and the session passes."""
    _broken.set()
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if _broken.is_set():
        session.exitstatus = pytest.ExitCode.INTERNAL_ERROR


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect tests by `--soak`, and sort files by duration, longest first, so that no worker is idle at the end."""
    soaking.select(items, config)
    patience.lengthen_timeouts(items, config)
    items.sort(key=lambda item: -_seconds(item.path))


def _seconds(file: Path) -> int:
    return SECONDS.get(file.relative_to(ROOT).as_posix(), 0) if file.is_relative_to(ROOT) else 0

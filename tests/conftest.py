"""For all tests."""

import gc
import os
import signal
import warnings
from collections.abc import Iterator
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

# How long an example takes says something of the machine and its neighbours, nothing of the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
COMPILES = "PYTEST_COMPILES"
"""Environment variable: not empty if pytest has yet to compile the tests with its assertion rewriting."""
environment.keep_bytecode()

# Set once, by the process that starts the others; they inherit it.
if not IS_WORKER:
    environment.make_own()
    os.environ[COMPILES] = "" if environment.needs_no_compiling() else "yes"
    os.environ[patience.SLOWNESS] = f"{patience.measure_slowness():.2f}"
    os.environ[costs.SESSION] = uuid4().hex

# Started in the background by a shell, this process ignores SIGINT and so would every process that a test interrupts.
# A session that is told to end stops its services first: a closed terminal and `timeout` signal all of its processes.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGTERM, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as `nohup` has it
    signal.signal(signal.SIGHUP, signal.default_int_handler)

# Processes of several tests share the cores, and threads that wait for each other take them from the others.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# tests/infra/test_tracking.py starts MLflow's pages; `hallmark up` need not, each time.
os.environ.setdefault("HALLMARK_MLFLOW_PORT", "off")

ROOT = Path(__file__).parents[1]
_broken = Event()
"""Whether a hook of pytest failed in this process or in one of its workers."""
UMASK = os.umask(0o022)
os.umask(UMASK)


@pytest.fixture(autouse=True)
def own_umask() -> Iterator[None]:
    """Commands set theirs for good; one that a test calls in this process leaves the next test none of it."""
    os.umask(UMASK)
    yield
    os.umask(UMASK)


@pytest.fixture(autouse=True)
def sockets_of_a_broken_store(request: pytest.FixtureRequest) -> Iterator[None]:
    """aiobotocore leaves the sockets of answers that broke off; they go with the test that broke them."""
    if not request.node.get_closest_marker("broken_store"):
        yield
        return
    gc.freeze()  # what is there already is not looked through: half a second for each test
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    gc.unfreeze()


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
    """URL of the session's Postgres, in which a test makes a database of its own (tests/governed/postgres.py)."""
    from tests.governed.postgres import shared_cluster

    with shared_cluster(shared) as url:
        yield url


@pytest.fixture(scope="session")
def object_store(shared: Path) -> Iterator[str]:
    """URL of the session's S3-compatible store, in which a test makes a bucket of its own (tests/object_store.py)."""
    from tests.object_store import shared_store

    with shared_store(shared) as url:
        yield url


@pytest.fixture(scope="session")
def prefect_server(shared: Path, checkouts: "Checkouts") -> "Iterator[Server]":
    """The session's Prefect server, on which a project of a test is a guest (tests/prefect_server.py)."""
    from tests.prefect_server import shared_server

    with shared_server(shared, checkouts) as server:
        yield server


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="Without the files in tests/slow_files.py.")
    parser.addoption("--soak", choices=("no", "only", "too"), default="no", help="What to do with tests marked `soak`.")
    parser.addoption("--costs", type=Path, help="Write the cost of each file to this file, as JSON.")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if config.option.basetemp is None:  # a worker has been given its own
        config.option.basetemp = temporary.of_session()
    NodeManager.EXIT_TIMEOUT = patience.patience(60)  # as long as a service may take to end
    costs.register(config)
    if config.getoption("--soak") == "only" and not hasattr(config, "workerinput"):
        config.pluginmanager.register(soaking.Report())


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A file that is left out is not even imported."""
    return True if config.getoption("--quick") and _seconds(collection_path) else None


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Collect. Compiling all tests takes a worker 9 CPU seconds, so the first worker does it alone for the others."""
    if not (IS_WORKER and os.environ[COMPILES]):
        return (yield)
    with first_alone(_shared(session.config._tmp_path_factory), "collection"):  # type: ignore[attr-defined]
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_internalerror() -> Iterator[None]:
    """Remember it: pytest-xdist 3.8 drops the other tests of a worker whose hook fails, and lets the session pass."""
    _broken.set()
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if _broken.is_set():
        session.exitstatus = pytest.ExitCode.INTERNAL_ERROR


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests that were not asked for. The longest files come first, so that no worker is idle at the end."""
    soaking.select(items, config)
    patience.lengthen_timeouts(items, config)
    items.sort(key=lambda item: -_seconds(item.path))


def _seconds(file: Path) -> int:
    return SECONDS.get(file.relative_to(ROOT).as_posix(), 0) if file.is_relative_to(ROOT) else 0

"""Environment of a test session, without variables by which tests would reach or change services of the user."""

import atexit
import os
import re
import shutil
import sys
import tempfile
from importlib.util import cache_from_source
from pathlib import Path

from infra import loopback
from tasks.runs.environment import BYTECODE_FOLDER

SERVICES = re.compile(r"(HALLMARK|MLFLOW|PREFECT|RAY|AWS|GIT)_|PG[A-Z]+$")
"""Names of variables that point to services or repositories of the user."""
KEPT = re.compile(r"HALLMARK_SHARED$|GIT_SS[HL]|AWS_CA_BUNDLE$")


def keep_bytecode() -> None:
    """Write this process's bytecode to disk even if PYTHONDONTWRITEBYTECODE is set, compiled tests included.

    The folder is `BYTECODE`, in the virtual environment. If that is read-only, do nothing.
    """
    if os.access(sys.prefix, os.W_OK):
        sys.dont_write_bytecode, sys.pycache_prefix = False, str(BYTECODE_FOLDER)


def needs_no_compiling() -> bool:
    """Return True if an earlier session left compiled tests, or if this one cannot write any."""
    return Path(cache_from_source(__file__)).parent.exists() or not os.access(sys.prefix, os.W_OK)


def make_own() -> None:
    """Remove variables that point to services of the user, and set those that tests need."""
    for name in [name for name in os.environ if SERVICES.match(name) and not KEPT.match(name)]:
        del os.environ[name]
    os.environ.pop("PYTHONPYCACHEPREFIX", None)
    os.environ["GIT_CONFIG_GLOBAL"] = str(Path(__file__).with_name("gitconfig"))
    os.environ["GIT_CONFIG_NOSYSTEM"] = "1"
    os.environ.setdefault("HOME", "/")
    loopback.bypass_proxy()
    _make_prefect_home()


def _make_prefect_home() -> None:
    """Set a temporary PREFECT_HOME, which is removed at the end of this process."""
    folder, ours = tempfile.mkdtemp(prefix="prefect-"), os.getpid()

    def remove() -> None:
        if os.getpid() == ours:  # forked processes run this too
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    os.environ["PREFECT_HOME"] = folder

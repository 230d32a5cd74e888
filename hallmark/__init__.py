"""Hallmark from Python: what the commands do, typed; the page docs/guides/python.md shows each call.

checkouts.py        a checkout: ask for runs, list runs and releases, admit a model
runs.py             a run: status, wait, figures, evidence of its gates
releases.py         a release, and its verification
models.py           an admitted model: load it and ask it
ledger_warnings.py  warnings about the ledger
arguments.py        checks of arguments
requests.py         requests for runs, by the command in a process of its own
process.py          entry point of Hallmark's own processes
__main__.py         commands `hallmark` and `hallmark-stage`

Importing the package loads none of these: a name is imported when it is first used. In a wheel, this package also has
`tasks`, `flows` and `infra`, which are internal.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tasks.core import own_packages
from tasks.core.errors import (
    HallmarkError,
    InputError,
    ProcessDied,
    Refused,
    TimeLimitExceeded,
    Unavailable,
)

__all__ = [
    "AdmittedModel",
    "Checkout",
    "Evidence",
    "Fact",
    "HallmarkError",
    "InputError",
    "LedgerWarning",
    "Message",
    "ProcessDied",
    "Refused",
    "Release",
    "Run",
    "RunStatus",
    "TimeLimitExceeded",
    "Unavailable",
    "Verification",
    "open",
    "verify",
]

if TYPE_CHECKING:
    from hallmark.checkouts import Checkout
    from hallmark.checkouts import open_checkout as open
    from hallmark.ledger_warnings import LedgerWarning
    from hallmark.models import AdmittedModel, Message
    from hallmark.releases import Release, verify
    from hallmark.runs import Run, RunStatus
    from tasks.core.facts import Fact
    from tasks.gates.evidence import Evidence
    from tasks.registry.release.report import Verification
else:
    _PLACES = {
        "AdmittedModel": ("hallmark.models", "AdmittedModel"),
        "Checkout": ("hallmark.checkouts", "Checkout"),
        "Evidence": ("tasks.gates.evidence", "Evidence"),
        "Fact": ("tasks.core.facts", "Fact"),
        "LedgerWarning": ("hallmark.ledger_warnings", "LedgerWarning"),
        "Message": ("hallmark.models", "Message"),
        "Release": ("hallmark.releases", "Release"),
        "Run": ("hallmark.runs", "Run"),
        "RunStatus": ("hallmark.runs", "RunStatus"),
        "Verification": ("tasks.registry.release.report", "Verification"),
        "open": ("hallmark.checkouts", "open_checkout"),
        "verify": ("hallmark.releases", "verify"),
    }

    def __getattr__(name: str) -> Any:
        if name not in _PLACES:
            raise AttributeError(f"module 'hallmark' has no attribute {name!r}")
        module, attribute = _PLACES[name]
        try:
            value = getattr(import_module(own_packages.installed_module_name(module)), attribute)
        except ModuleNotFoundError as error:
            if not (why := own_packages.describe_missing_module(error, f"hallmark.{name}")):
                raise
            raise Unavailable(why) from None
        globals()[name] = value
        return value

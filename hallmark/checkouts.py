"""A checkout: requests for runs, its runs and releases, admission of a model."""

import os
import socket
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from hallmark import requests
from hallmark.arguments import require_existing_path, require_flag, require_text
from hallmark.ledger_warnings import LedgerWarning, warn_if_changed
from hallmark.models import AdmittedModel
from hallmark.releases import Release
from hallmark.runs import Run
from infra import checkout_folder, release_notices
from tasks.core.errors import HallmarkError, InputError
from tasks.core.files import STATE_UMASK
from tasks.registry.admit import admission
from tasks.registry.promote import releases
from tasks.runs import abbreviated_ids, checkout, journal
from tasks.runs.request import NO_RUN_MESSAGE


def open_checkout(path: str | Path = ".") -> "Checkout":
    """Return the checkout that a folder is in, which may be anywhere on this machine.

    Raises:
        InputError: The folder does not exist or is in no checkout, or its state belongs to another user.
    """
    folder = require_existing_path("path", path)
    return Checkout(checkout_folder.find_checkout_root(folder, lambda text: warnings.warn(text, stacklevel=3)))


@dataclass(frozen=True)
class Checkout:
    """A checkout of a project: its clone with the state in `.hallmark`. Each call reads its state anew."""

    root: Path

    def request_run(
        self,
        *,
        as_: str | None = None,
        set: Mapping[str, object] | None = None,
        params: str = "params.yaml",
        reason: str | None = None,
        demo_approvals: bool = False,
    ) -> Run:
        """Sign a request for a run, start the run, and return it without waiting; `hallmark run` does the same.

        Args:
            as_: Person in people.yaml who asks, whose key is on this machine; None for HALLMARK_IDENTITY.
            set: Parameters to override, for example `{"training.epochs": 2}`. A string stays the string that it is.
            params: File with the parameters, relative to the checkout.
            reason: Reason for the run, signed with the request.
            demo_approvals: Whether demo identities decide at once; in environment `local` only.

        Raises:
            InputError: The request is wrong; all mistakes are in the message.
            Refused: The ledger was changed, or policy forbids the run.
            Unavailable: Prefect or something else that the run needs is away.
        """
        options = [
            f"--params={require_text('params', params)}",
            *(requests.change_option(*each) for each in (set or {}).items()),
        ]
        options += [f"--as={require_text('as_', as_)}"] if as_ is not None else []
        options += [f"--reason={require_text('reason', reason)}"] if reason is not None else []
        options += ["--demo-approvals"] if require_flag("demo_approvals", demo_approvals) else []
        return Run(self.root, requests.start_run(self.root, *options))

    def runs(self) -> list[Run]:
        """Return all runs of this checkout, oldest first."""
        warn_if_changed(self.root)
        return [Run(self.root, known.run) for known in journal.read_journals(self._state)]

    def run(self, id: str) -> Run:
        """Return a run, given its id or enough of its beginning or end.

        Raises:
            InputError: There is no such run, or there are several.
        """
        require_text("id", id)
        warn_if_changed(self.root)
        whole = abbreviated_ids.expand_run_id(self._state, id)
        if journal.read_journal(self._state, whole) is None:
            raise InputError(NO_RUN_MESSAGE.format(id))
        return Run(self.root, whole)

    def releases(self) -> list[Release]:
        """Return every release with its aliases, by model and version."""
        warn_if_changed(self.root)
        with self._reading() as here:
            return [Release(self.root, each) for each in releases.list_summaries(here.ledger, here.governance)]

    def release(self, name: str) -> Release:
        """Return a release, given its name and version, such as `triage-2`.

        Raises:
            InputError: There is no such release.
        """
        require_text("name", name)
        warn_if_changed(self.root)
        with self._reading() as here:
            known, line = releases.get_release_with_promotions(here.ledger, here.governance, name)
            return Release(self.root, releases.summarise_release(known, line, here.ledger, here.governance))

    def admit(self, model: str, server: str | None = None) -> AdmittedModel:
        """Verify the release in production of a model, record in the ledger that it is admitted, and return it.

        If the ledger cannot be reached or was changed, the release that was last admitted here stays admitted.

        Args:
            model: Name of the model: `use_case.name` of its runs.
            server: Name of the server that will load it, for the record; None for the name of this machine.

        Raises:
            Refused: No release is in production, or its files differ from what was promoted. The ledger was changed,
                and the model was not admitted here before.
            Unavailable: The ledger is away, and the model was not admitted here before.
        """
        require_text("model", model)
        server = socket.gethostname() if server is None else require_text("server", server)
        with suppress(HallmarkError):  # admission works without the ledger, and says itself what is wrong
            warn_if_changed(self.root)
        with private_files():
            return AdmittedModel(admission.admit_in_checkout(self.root, model, server))

    @property
    def _state(self) -> Path:
        return self.root / ".hallmark"

    @contextmanager
    def _reading(self) -> Iterator[checkout.Checkout]:
        here = checkout.Checkout(self.root)
        for text in release_notices.list_notices(here.ledger, here.governance):
            warnings.warn(text, LedgerWarning, stacklevel=4)
        with here.ledger.reading():
            yield here


@contextmanager
def private_files() -> Iterator[None]:
    """Make files that are created in the block readable by their owner alone, as commands do."""
    before = os.umask(STATE_UMASK)
    try:
        yield
    finally:
        os.umask(before)

"""Following of the ledger: the release of a newer promotion statement is loaded while the present one answers.

The ledger is asked every few seconds. While it is unavailable, the release that was admitted goes on. A release that is
not admitted or cannot be loaded replaces nothing.
"""

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from tasks.core.errors import HallmarkError
from tasks.ledger.ledger import get_ledger
from tasks.policy import in_force
from tasks.registry.admit import admission
from tasks.registry.admit.admission import AdmittedRelease
from tasks.registry.release import promotions
from tasks.serve import loaded_release
from tasks.serve.engine import Engine
from tasks.serve.loaded_release import LoadedRelease
from tasks.stages.evaluate.decode import Decoder

log = logging.getLogger(__name__)
POLL_SECONDS = 3.0
"""Seconds between two looks at the ledger."""
RETRY_SECONDS = 60.0
"""Seconds until a release that could not be admitted or loaded is tried again. Each try is an entry in the ledger."""


@dataclass(frozen=True)
class Serving:
    release: LoadedRelease
    engine: Engine


class ReleaseFollower:
    """Release that answers now. `current` is replaced atomically, so that release and engine belong together."""

    def __init__(self, checkout: Path, name: str, server: str) -> None:
        """Admit and load the release in production.

        Args:
            checkout: Root folder of the checkout.
            name: Name of the model.
            server: Name of this server in the ledger's entries about admissions.

        Raises:
            Refused: Nothing is in production, or what is in production failed its verification.
            Unavailable: The ledger is unavailable and nothing was admitted here before, or the machine cannot load it.
        """
        self._checkout, self._name, self._server = checkout, name, server
        self.current = _load(self._admit())
        self.problem = ""
        """Reason why a newer release could not be looked for or loaded; empty if there is none."""
        self._tried_sequence, self._retry_at = 0, 0.0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="follower", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop following, and answer the requests that were accepted."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()
        self.current.engine.close()

    def check(self) -> None:
        """Load the release of the newest promotion statement if it is not the one that answers."""
        before = self.current
        try:
            newest = self._newest_sequence()
            if newest == before.release.admitted.sequence:
                self._note("")
                return
            if newest == self._tried_sequence and time.monotonic() < self._retry_at:
                return
            self._tried_sequence, self._retry_at = newest, time.monotonic() + RETRY_SECONDS
            admitted = self._admit()
            if admitted.sequence == before.release.admitted.sequence:
                self._note(f"the ledger was rolled back to promotion statement {newest}; see `hallmark ledger verify`")
                return
            self.current = _load(admitted)
        except HallmarkError as error:
            self._note(str(error))
            return
        self._note("")
        log.info("%s answers from now on", admitted.label)
        before.engine.close()

    def _follow(self) -> None:
        while not self._end.wait(POLL_SECONDS):
            try:
                self.check()
            except Exception as error:  # whatever it is, the release that was loaded goes on answering
                log.exception("following the ledger failed")
                self.problem = type(error).__name__

    def _note(self, problem: str) -> None:
        if problem and problem != self.problem:
            log.warning("%s goes on answering: %s", self.current.release.admitted.label, problem)
        self.problem = problem

    def _newest_sequence(self) -> int:
        state = self._checkout / ".hallmark"
        ledger = get_ledger(state)
        with ledger.reading():
            governance, _ = in_force.read_in_force(self._checkout / "infra" / "governance", state, ledger)
            newest = promotions.read_promotions(ledger, governance, self._name).newest_statement
        return newest.promotion.sequence if newest else 0

    def _admit(self) -> AdmittedRelease:
        return admission.admit_in_checkout(self._checkout, self._name, self._server)


def _load(admitted: AdmittedRelease) -> Serving:
    releases = list[LoadedRelease]()

    def load() -> Decoder:
        releases.append(loaded_release.load_release(admitted))
        return releases[0].create_decoder()

    engine = Engine(load)
    return Serving(releases[0], engine)

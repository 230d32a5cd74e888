"""Detection of machines that cannot train with the others. Workers check their machines before a model is loaded."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.core.errors import InputError
from tasks.stages.train.job import Job
from tasks.stages.train.recovery.attempts import UnfitMachines
from tasks.stages.train.workers import gather_from_workers, machine_id


@contextmanager
def raise_on_all_workers(job: Job) -> Iterator[None]:
    """Raise UnfitMachines on all workers if the block raises InputError or OSError on one of them."""
    complaint = None
    try:
        yield
    except InputError as error:
        complaint = str(error)
    except OSError as error:
        complaint = f"on {socket.gethostname()}: {error}"
    complaints = gather_from_workers((machine_id(job), complaint))
    unfit = {name: words for name, words in complaints if words}
    if unfit:
        left = sum(name not in unfit for name, _ in complaints)
        raise UnfitMachines("; ".join(dict.fromkeys(unfit.values())), tuple(unfit), left)

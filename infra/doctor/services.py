"""Diagnostics of services: whether they respond, and whether this checkout's services run with its current settings."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from infra.doctor.finding import Finding
from infra.prefect import server, watch_status
from tasks.core.errors import Refused, Unavailable
from tasks.core.formatting import format_url
from tasks.ledger import ledger
from tasks.ledger.heads import publication
from tasks.ledger.heads.places.setting import parse_places
from tasks.policy import in_force
from tasks.registry.promote import mlflow_mirror
from tasks.scheduling import deployments_in_force

TIMEOUT_SECONDS = 5.0


def check_prefect(root: Path) -> Iterator[Finding]:
    up = server.find(root)
    if up is None:
        yield Finding("not up; `hallmark run` and `hallmark up` start it")
    elif other := up.settings.differing_names(os.environ):
        told = f"up at {format_url(up.api)}, with other settings: {', '.join(other)}"
        yield Finding(told, "hallmark down, then hallmark up")
    else:
        yield Finding(f"up at {format_url(up.api)}")


def check_watch(root: Path) -> Iterator[Finding]:
    """Report whether a watch is running. No watch is needed if no gate is open and no schedule is adopted."""
    found = watch_status.read_watch_status(root)
    waits = _describe_unattended(root) if found.is_missing and ledger.ledger_exists(root / ".hallmark") else ""
    yield (
        Finding(f"{found.description}; {waits}", "hallmark up, or hallmark watch")
        if waits
        else Finding(found.description)
    )


def _describe_unattended(root: Path) -> str:
    known, folder = ledger.get_ledger(root / ".hallmark"), root / "infra" / "governance"
    if known.loss_reason():
        return ""
    gates = len(known.open_questions())
    named = len(
        deployments_in_force.read_deployments(
            known, in_force.load_in_force(folder, root / ".hallmark", known)
        ).deployments.named
    )
    return ", ".join(f"{count} {what}" for count, what in ((gates, "open gates"), (named, "schedules")) if count)


def check_mlflow(root: Path) -> Iterator[Finding]:
    uri = mlflow_mirror.registry_uri(root / ".hallmark")
    url = urlsplit(uri)
    if url.scheme in ("http", "https"):
        _require_response(f"{uri.rstrip('/')}/health", f"MLflow at {url.hostname}:{url.port}")
    yield Finding(f"{url.scheme}://{url.hostname or url.path}")


def check_ray(_root: Path) -> Iterator[Finding]:
    address = os.environ.get("RAY_ADDRESS", "")
    shown = format_url(address)
    if not address or address in ("auto", "local"):
        yield Finding("on this machine, for each training and where several workers answer")
        return
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not port.isdecimal():
        yield Finding(f"RAY_ADDRESS: expected HOST:PORT, got {shown}", "set it to where the cluster's head is")
        return
    try:
        socket.create_connection((host, int(port)), TIMEOUT_SECONDS).close()
    except (OSError, ValueError) as error:
        yield Finding(f"RAY_ADDRESS {shown} does not answer ({error})", "start the cluster, or unset RAY_ADDRESS")
    else:
        yield Finding(f"something answers at {shown}; a training asks whether it is a Ray cluster that lets it in")


def check_heads(root: Path) -> Iterator[Finding]:
    """Report the number of ledger heads in each configured place.

    Heads that are stored only on this machine prove nothing against the machine's owner.
    """
    places = parse_places(os.environ.get(publication.PLACES_VARIABLE, ""), root, root / ".hallmark")
    for place in places:
        try:
            yield Finding(f"{place.name}: {len(place.sizes())} heads")
        except Unavailable as error:
            yield Finding(str(error), "hallmark ledger publish, once it is back")
        except Refused as error:
            yield Finding(str(error), "see hallmark ledger verify")
    if not places:
        yield Finding(f"they stay on this machine; {publication.PLACES_VARIABLE} names places for them elsewhere")


def _require_response(url: str, what: str) -> None:
    try:
        urlopen(Request(url), timeout=TIMEOUT_SECONDS).close()
    except (OSError, ValueError) as error:
        raise Unavailable(
            f"{what} does not answer ({error}); start it, or set MLFLOW_TRACKING_URI to another"
        ) from None

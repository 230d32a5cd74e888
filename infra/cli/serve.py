"""Command group `hallmark serve`: the gateway, and the keys of its callers."""

import time
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from infra import foreground
from infra.cli import release_context, shared
from infra.cli.progress_display import showing_step
from infra.cli.shared import console
from infra.gateway import server
from infra.gateway.caller_keys import CallerKeys
from infra.local_server import RunningServer
from tasks.core.errors import InputError, Refused, Unavailable
from tasks.core.formatting import format_time
from tasks.registry.release import promotions

FIRST_CALLER = "local"
"""Caller of the key that is made if no caller has one."""
Model = Annotated[
    str | None,
    typer.Argument(metavar="MODEL", help="Name of the model: use_case.name of its runs. Default: the only one."),
]


def up(
    model: Model = None,
    stays: Annotated[
        bool, typer.Option("--foreground", help="Stay until the gateway is stopped, for systemd; logs to stderr.")
    ] = False,
    as_json: shared.Json = False,
) -> None:
    """Serve the release in production on loopback, over an API that clients of OpenAI use.

    The release is verified before it is loaded. A newer promotion is followed while requests go on. If no caller has a
    key, one is made for caller `local` and shown. `hallmark serve down` or `hallmark down` stops the gateway.

    Example: hallmark serve up
    """
    root = shared.checkout_root()
    name = model or _only_model(root)
    keys = CallerKeys(server.gateway_folder(root))
    if stays:
        if not keys.list_keys():
            console.print("no caller has a key yet: hallmark serve add-key CALLER")
        controls = foreground.local_controls(
            server.gateway_folder(root), lambda: server.start(root, name, console.print)
        )
        foreground.run_in_foreground("the gateway", controls)
        return
    began = time.monotonic()
    with showing_step(f"verifying and loading what is in production of {name}", None if as_json else console):
        running = server.start(root, name, lambda text: shared.print_notice(text, as_json))
    seconds = time.monotonic() - began
    first_key = None if keys.list_keys() else keys.add(FIRST_CALLER)
    if as_json:
        shared.print_json(_document(running, name) | {"seconds": round(seconds, 1), "key": first_key})
        return
    console.print(f"gateway: {running.origin}/v1 serves {name}, ready after {seconds:.0f} s")
    if first_key:
        console.print(
            f"key of caller {FIRST_CALLER}, which is not shown again: {first_key}", markup=False, highlight=False
        )
    console.print(_example(running, name, first_key or "KEY"), markup=False, highlight=False, soft_wrap=True)


def down() -> None:
    """Stop the gateway. It has a minute to answer the requests that it accepted.

    Example: hallmark serve down
    """
    console.print("stopped" if server.stop(shared.checkout_root()) else "the gateway was not up")


def status(as_json: shared.Json = False) -> None:
    """Show whether the gateway is up, what it serves, and whether it follows the ledger.

    Example: hallmark serve status
    """
    root = shared.checkout_root()
    running = server.find(root)
    if running is None:
        shared.print_json({"up": False}) if as_json else console.print("gateway: not up (hallmark serve up)")
        return
    name = server.served_model(root)
    try:
        served = httpx.get(f"{running.origin}/health", timeout=10, trust_env=False).json()
    except (httpx.HTTPError, ValueError):
        served = {"status": "does not answer"}
    if as_json:
        shared.print_json(_document(running, name) | served)
        return
    console.print(
        f"gateway: {running.origin}/v1 serves {served.get('release', name)}, {served.get('status', 'does not answer')}"
    )
    if not served.get("following", True):
        log = server.gateway_folder(root) / "gateway.log"
        console.print(f"newer releases cannot be followed; the log says why: {log}", markup=False, highlight=False)


def add_key(
    caller: Annotated[str, typer.Argument(metavar="CALLER", help="Name of the program or team that calls.")],
    days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="Days until the key expires. Default: it does not.")
    ] = None,
    as_json: shared.Json = False,
) -> None:
    """Make a key for a caller, and print it. Only its digest is stored, so it cannot be shown again.

    A caller can have several keys. To change one without a gap, add the new one, and then revoke the old one.

    Example: hallmark serve add-key helpdesk --days 90
    """
    given = CallerKeys(server.gateway_folder(shared.checkout_root())).add(caller, days)
    shared.print_json({"caller": caller, "key": given}) if as_json else print(given)


def list_keys(as_json: shared.Json = False) -> None:
    """List the keys of callers by id, with the dates on which they were made and expire.

    Example: hallmark serve keys
    """
    keys = CallerKeys(server.gateway_folder(shared.checkout_root())).list_keys()
    if as_json:
        shared.print_json([key.model_dump(mode="json", exclude={"sha256"}) | {"id": key.id} for key in keys])
        return
    rows = [
        [key.id, key.caller, format_time(key.created), format_time(key.expires) if key.expires else "never"]
        for key in keys
    ]
    shared.print_table(["key", "caller", "made", "expires"], rows, "no caller has a key: hallmark serve add-key CALLER")


def revoke_key(
    key_id: Annotated[str, typer.Argument(metavar="KEY-ID", help="Id of the key, as `hallmark serve keys` shows it.")],
    as_json: shared.Json = False,
) -> None:
    """Revoke a key. The gateway refuses it from the next request on.

    Example: hallmark serve revoke-key 3f9a12c4
    """
    key = CallerKeys(server.gateway_folder(shared.checkout_root())).revoke(key_id)
    document = {"caller": key.caller, "id": key.id}
    shared.print_json(document) if as_json else console.print(f"key {key.id} of {key.caller} is not valid any more")


def _only_model(root: Path) -> str:
    """Return the name of the only model in production; while the ledger is away, the model that was served last."""
    try:
        ledger, governed = release_context.open_to_read()
        names = [
            name
            for name in promotions.model_names(ledger)
            if promotions.read_promotions(ledger, governed, name).valid_statements
        ]
    except Unavailable:
        if last := server.served_model(root):
            return last
        raise
    where = governed.policy.environment
    if not names:
        raise Refused(f"no release is promoted in environment {where}; there is nothing to serve (`hallmark run`)")
    if len(names) > 1:
        raise InputError(f"name the model to serve; environment {where} has {', '.join(names)}")
    return names[0]


def _document(running: RunningServer, name: str) -> dict[str, Any]:
    return {"up": True, "url": f"{running.origin}/v1", "model": name}


def _example(running: RunningServer, name: str, key: str) -> str:
    body = f'{{"model": "{name}", "messages": [{{"role": "user", "content": "I lost my card"}}]}}'
    return (
        f"curl {running.origin}/v1/chat/completions -H 'Authorization: Bearer {key}' "
        f"-H 'Content-Type: application/json' -d '{body}'"
    )

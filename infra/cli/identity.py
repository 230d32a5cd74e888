"""Command group `hallmark identity`: keys of people and machines, and proposals of changes to them in people.yaml."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.table import Table

from infra.cli import shared
from infra.cli.shared import console
from tasks.core.errors import InputError
from tasks.core.files import create_private_file
from tasks.core.formatting import format_time
from tasks.policy import overview, proposal, root_of_trust
from tasks.policy.people import MACHINES
from tasks.policy.proposal import PeopleChange
from tasks.trust import keys, signing_keys, ssh_agent

GOVERNANCE_FOLDER = Path("infra") / "governance"

Id = Annotated[str, typer.Argument(metavar="ID", help="A person of people.yaml, or gate, scheduler, worker, ledger.")]
Name = Annotated[str | None, typer.Option(help="Name of a person who is not in people.yaml yet.")]
Role = Annotated[list[str] | None, typer.Option(help="Role of such a person. May be repeated.")]
Replace = Annotated[bool, typer.Option("--replace", help="End the keys that count now when this one begins.")]


def create(
    who: Id,
    out: Annotated[
        Path | None, typer.Option(metavar="PATH", help="File of the private key. Default: .hallmark/keys/ID.")
    ] = None,
    passphrase: Annotated[bool, typer.Option("--passphrase", help="Ask for a passphrase at the terminal.")] = False,
    name: Name = None,
    role: Role = None,
    replace: Replace = False,
    as_json: shared.Json = False,
) -> None:
    """Create a key and propose it in people.yaml.

    Example: hallmark identity create data-owner --out ~/.ssh/hallmark --passphrase
    """
    path = out.expanduser() if out else shared.checkout_root() / ".hallmark" / "keys" / who
    if there := next((each for each in (path, _public_file(path)) if each.exists()), None):
        raise InputError(
            f"{there}: a key is here already; propose it: hallmark identity import {who} {there}. To have another in "
            f"its place, move it and {path.name}.pub away first"
        )
    key = Ed25519PrivateKey.generate()
    data = keys.encode_private_key(key, signing_keys.ask_passphrase(path, confirm=True) if passphrase else None)
    line = keys.make_public_line(key, who)
    changed = _propose_key(who, line, name, role, replace, before=lambda: _write_key_files(path, data, line))
    _print_key(who, line, changed, as_json, key=str(path))


def bring(
    who: Id,
    file: Annotated[
        Path | None, typer.Argument(metavar="KEYFILE", help="The public key, or the private key beside it.")
    ] = None,
    agent: Annotated[bool, typer.Option("--agent", help="Take the key that the ssh-agent has.")] = False,
    key: Annotated[
        str | None, typer.Option(metavar="FINGERPRINT", help="Fingerprint of the key, where the agent has several.")
    ] = None,
    name: Name = None,
    role: Role = None,
    replace: Replace = False,
    as_json: shared.Json = False,
) -> None:
    """Propose an existing OpenSSH ed25519 or ed25519-sk key in people.yaml. Repeating the command changes nothing.

    Example: hallmark identity import data-owner ~/.ssh/id_ed25519.pub
    """
    if (file is None) != agent:
        raise InputError("give either the file of a key or --agent")
    line = _public_line_of_file(file.expanduser()) if file else _public_line_of_agent(key)
    _print_key(who, line, _propose_key(who, line, name, role, replace), as_json)


def list_identities(as_json: shared.Json = False) -> None:
    """List people and machines with their roles and keys, and show whether each key is valid now.

    Example: hallmark identity list
    """
    governed = shared.open_checkout().governance
    rows = [overview.signer_summary(governed, who, datetime.now(UTC)) for who in (*governed.people.people, *MACHINES)]
    if as_json:
        shared.print_json([row.model_dump(mode="json", exclude={"demo"}) for row in rows])
        return
    table = Table("id", "name", "roles", "keys", box=None, header_style="bold")
    for row in rows:
        lines = (f"{key.fingerprint} {key.told}" for key in row.keys)
        table.add_row(row.id, row.name, ", ".join(row.roles), "\n".join(lines) or "none")
    console.print(table)


def revoke(
    who: Id,
    key: Annotated[str, typer.Option(metavar="FINGERPRINT", help="Fingerprint, as `hallmark identity list` shows it.")],
    as_of: Annotated[
        datetime,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="When somebody else may first have had it, in UTC."
        ),
    ],
    reason: Annotated[str, typer.Option(help="Why. It stands in people.yaml.")],
    as_json: shared.Json = False,
) -> None:
    """Propose the revocation of a key. Its signatures from the given time on are invalid; earlier ones stay valid.

    Example: hallmark identity revoke data-owner --key SHA256:… --as-of 2026-03-01 --reason "laptop stolen"
    """
    mark, moment = keys.validate_fingerprint(key), as_of.replace(tzinfo=UTC)
    with shared.hold_editing_lock():
        changed = proposal.propose_changes(_governance_folder(), proposal.key_revocation(who, mark, moment, reason))
    document = {"id": who, "fingerprint": mark, "revoked_as_of": moment.isoformat(), "proposed": changed}
    shared.print_json(document) if as_json else console.print(f"{who}: {mark} revoked as of {format_time(moment)}")
    _print_next_step(changed, as_json)


def root(as_json: shared.Json = False) -> None:
    """Print the fingerprint of the root key, from which all adoptions in this checkout follow.

    Send the fingerprint to people who verify releases, but not over the same channel as the releases.

    Example: hallmark identity root
    """
    fingerprint = root_of_trust.root_fingerprint(shared.checkout_root() / ".hallmark")
    shared.print_json({"root": fingerprint}) if as_json else console.print(fingerprint)


def _governance_folder() -> Path:
    return shared.checkout_root() / GOVERNANCE_FOLDER


def _propose_key(
    who: str,
    line: str,
    name: str | None,
    role: list[str] | None,
    replace: bool,
    before: Callable[[], None] = lambda: None,
) -> bool:
    changes: list[PeopleChange] = [proposal.person_addition(who, name, role)] if name and role else []
    known = shared.checkout_root() / ".hallmark" / "keys" / f"{who}.pub"
    made = known.read_text().strip() if known.exists() else None
    changes.append(proposal.key_addition(who, line, datetime.now(UTC), replace, made if made != line else None))
    with shared.hold_editing_lock():
        return proposal.propose_changes(_governance_folder(), *changes, before_write=before)


def _write_key_files(path: Path, data: bytes, line: str) -> None:
    with shared.writable_path(path, None, in_state=True):
        for file, content in ((_public_file(path), f"{line}\n".encode()), (path, data)):
            if not create_private_file(file, content):
                raise InputError(f"{file}: a key is here already")


def _public_file(path: Path) -> Path:
    return Path(f"{path}.pub")


def _public_line_of_file(path: Path) -> str:
    source = path if path.suffix == ".pub" else _public_file(path)
    if not source.exists() and path.exists():
        return signing_keys.signer_from_file(path).public_line
    try:
        line = source.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: no public key can be read here ({error}); give the path of one") from None
    keys.fingerprint(line)
    return line


def _public_line_of_agent(mark: str | None) -> str:
    if not ssh_agent.is_running():
        raise InputError(
            f"no ssh-agent is running here ({ssh_agent.SOCKET_VARIABLE} is not set); give the file of a key"
        )
    agent_keys = {keys.fingerprint(line): line for line in ssh_agent.list_public_lines()}
    chosen = [line for known, line in agent_keys.items() if mark in (None, known)]
    if len(chosen) != 1:
        names = [f"{fingerprint} {line.split(maxsplit=2)[-1]}" for fingerprint, line in agent_keys.items()]
        raise InputError(f"the ssh-agent has {'; '.join(names) or 'no ed25519 key'}; say which with --key FINGERPRINT")
    return chosen[0]


def _print_key(who: str, line: str, changed: bool, as_json: bool, **more: str) -> None:
    document = {"id": who, "public_key": line, "fingerprint": keys.fingerprint(line), "proposed": changed, **more}
    in_the_way = _shadowing_key(who, line)
    if as_json:
        shared.print_json(document)
    else:
        console.print(f"{who}: {document['fingerprint']}" + "".join(f"; private key: {path}" for path in more.values()))
        console.print(f"  keys: [{line}]")
    _print_next_step(changed, as_json)
    if in_the_way:
        shared.print_notice(in_the_way, as_json)


def _shadowing_key(who: str, line: str) -> str:
    place = shared.checkout_root() / ".hallmark" / "keys" / who
    public = place.with_name(f"{who}.pub")
    if not place.exists() or (public.exists() and keys.fingerprint(public.read_text()) == keys.fingerprint(line)):
        return ""
    then = "put the new one in its place" if who in MACHINES else f"move it and {who}.pub away"
    return (
        f"{place} is another key of {who}, and goes before all others when they sign by commands; to sign with this "
        f"one there once it is adopted, {then}"
    )


def _print_next_step(changed: bool, as_json: bool) -> None:
    text = (
        f"proposed in {GOVERNANCE_FOLDER}/people.yaml; it counts once adopted: "
        f"hallmark policy adopt {GOVERNANCE_FOLDER}"
    )
    shared.print_notice(
        text if changed else f"{GOVERNANCE_FOLDER}/people.yaml says so already; nothing was changed", as_json
    )

"""Command `hallmark releases verify`."""

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from infra.cli import shared
from infra.cli.progress_display import showing_step
from infra.cli.shared import console
from tasks.audit import folder_verification
from tasks.core.errors import InputError
from tasks.registry.release import bundle
from tasks.registry.release.report import EXIT_CODES, Verification
from tasks.trust import keys


def verify(
    named: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="Folder of a release, dossier or export, or the name of a release of this checkout."
        ),
    ],
    root: Annotated[
        str | None,
        typer.Option(
            metavar="FINGERPRINT", help="Fingerprint that `hallmark identity root` prints, received by another way."
        ),
    ] = None,
    as_json: shared.Json = False,
) -> None:
    """Verify files, gates, decisions and signatures of a release, dossier or export.

    For a dossier, the command also verifies its signature, and each ledger entry against its proof. For an export, it
    verifies the signed statement, and the digest of every file. The root key is the one that this checkout trusts, or
    the one of --root. With --root, the command needs only the folder and works on any machine. The exit code is 1 if
    the folder is invalid, 3 if it is incomplete, and 2 if the folder or the root does not exist.

    Example: hallmark releases verify support-triage-1 --root SHA256:dTMJHKLwDWSNEi81aap+xlRbD1nSaFXpP+b7HZkPkUE
    """
    folder = _find_folder(named)
    fingerprint = keys.validate_fingerprint(root) if root is not None else None
    with showing_step(f"verifying {folder}", None if as_json else console):
        verified = (
            folder_verification.verify_folder_from_root(folder, fingerprint)
            if fingerprint
            else _verify_with_own_keys(folder)
        )
    if as_json:
        shared.print_json(verified.model_dump(mode="json"))
    else:
        for line in verified.describe():
            console.print(line)
    raise typer.Exit(EXIT_CODES[verified.verdict])


def _find_folder(named: Path) -> Path:
    if named.is_dir():
        return named
    with contextlib.suppress(InputError):  # the current folder is not in a checkout
        own = bundle.release_folder(shared.checkout_root() / ".hallmark", named.name)
        if own.is_dir() and named == Path(named.name):
            return own
    raise InputError(
        f"{named} does not exist; expected the folder of a release, or a release that `hallmark releases list` names"
    )


def _verify_with_own_keys(folder: Path) -> Verification:
    try:
        governed = shared.open_checkout().governance
    except InputError as error:
        raise InputError(f"{error}; or say --root FINGERPRINT, the root of trust as its owner told you") from None
    except ModuleNotFoundError as error:
        raise InputError(f"this installation has no keys of its own ({error}); say --root FINGERPRINT") from None
    return folder_verification.verify_folder(folder, governed)

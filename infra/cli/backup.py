"""Commands `hallmark backup` and `hallmark restore`."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli import shared
from infra.cli.shared import console
from tasks.backup import contents
from tasks.backup import restore as putting_back
from tasks.backup import save as taking
from tasks.backup.contents import Manifest
from tasks.core.errors import Unavailable
from tasks.core.formatting import format_time


def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make, best on another disk.")],
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="Include private keys. Whoever reads them can sign as their owners.")
    ] = False,
    as_json: shared.Json = False,
) -> None:
    """Back up the state of this checkout: ledger, heads, vault, releases and the commits of runs.

    The checkout can be in use meanwhile. A plain copy of .hallmark is not a backup, because ledger.db may lack the
    newest entries.

    Example: hallmark backup /mnt/backups/2026-03-03
    """
    manifest = taking.save_backup(shared.checkout_root(), folder, with_keys)
    if as_json:
        shared.print_json({"folder": str(folder.resolve()), **manifest.model_dump(mode="json")})
        return
    keys = "with private keys: keep it as you keep them" if with_keys else "without private keys"
    console.print(f"{folder}: {len(manifest.files):,} files, {manifest.entries:,} entries of the ledger, {keys}")
    console.print("checked: the ledger holds under its heads, and every release verifies")
    for text in manifest.elsewhere:
        console.print(text)
    console.print(f"not in it: {contents.EXCLUDED_DESCRIPTION}")


def restore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that `hallmark backup` wrote.")],
    as_json: shared.Json = False,
) -> None:
    """Restore a backup into a checkout that has no state yet. Either all files are restored or none.

    The command first verifies every digest and the ledger. It lists the runs whose commits cannot be restored.

    Example: hallmark restore /mnt/backups/2026-03-03
    """
    restored = putting_back.restore_backup(shared.checkout_root(), folder)
    if as_json:
        shared.print_json(restored.manifest.model_dump(mode="json"))
    else:
        _print_restored(restored.manifest)
    if restored.missing_refs:
        raise Unavailable(
            "all is restored but the commits of these runs, which git could not fetch from the backup: "
            f"{', '.join(ref.rpartition('/')[2] for ref in restored.missing_refs)}. To have them too, run `git fetch` "
            "(in a shallow clone `git fetch --unshallow`), move .hallmark away and restore again"
        )


def _print_restored(manifest: Manifest) -> None:
    console.print(f"restored as of {format_time(manifest.time)}: {manifest.entries:,} entries of the ledger")
    console.print(f"root of trust: {manifest.root}; compare it with what its owner told you by another way")
    if not manifest.private_keys:
        console.print("private keys are not in it: put them back into .hallmark/keys, mode 600")
    for text in manifest.elsewhere:
        console.print(text)
    console.print("whoever was erased after that time is back: hallmark erase recall CERTIFICATE, for each of them")

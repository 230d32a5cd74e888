"""Verification of a received folder, which is a release, the dossier of a release, or an export."""

from pathlib import Path

from tasks.audit import dossier_signature, dossier_verification
from tasks.core.errors import InputError
from tasks.policy.governance import Governance
from tasks.registry.export import verification as export_verification
from tasks.registry.release.report import Verification
from tasks.registry.verify import verification


def verify_folder_from_root(folder: Path, root: str) -> Verification:
    """Verify a folder, given only a root key fingerprint that the caller received over a separate channel.

    Raises:
        InputError: There is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} does not exist; expected the folder of a release, dossier or export")
    if dossier_signature.is_dossier(folder):
        return dossier_verification.verify_dossier_from_root(folder, root)
    if export_verification.is_export(folder):
        return export_verification.verify_export_from_root(folder, root)
    return verification.verify_from_root(folder, root)


def verify_folder(folder: Path, governance: Governance) -> Verification:
    if dossier_signature.is_dossier(folder):
        return dossier_verification.verify_dossier(folder, governance)
    if export_verification.is_export(folder):
        return export_verification.verify_export(folder, governance)
    return verification.verify_release(folder, governance)

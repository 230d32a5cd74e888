"""Files of a release and its base model that a server uses, each verified in the read whose result is used.

Verifying a release takes minutes. Files that are read by path afterwards could be others.
"""

from pathlib import Path

from tasks.core import files
from tasks.core.errors import Refused, raise_machine_fault
from tasks.core.json_text import canonical_json
from tasks.core.layout import Layout
from tasks.core.params import methods
from tasks.core.payload import inference_config, manifest
from tasks.core.payload.inference_config import InferenceSettings
from tasks.core.payload.manifest import Manifest
from tasks.registry.release import bundle
from tasks.stages.package.package import SAFE_SUFFIXES

BASE_MODEL_SUFFIXES = (*SAFE_SUFFIXES, ".txt", ".md", "")
"""Allowed file suffixes in a base model. They include those of weights, JSON files, vocabulary files, a model card and
a licence."""


def read_package(folder: Path, listing: dict[str, str]) -> tuple[Manifest, InferenceSettings]:
    """Read a release's manifest and inference settings, each verified in the read that is used.

    Verifying a release takes minutes, and its files could be exchanged after they were verified.
    """
    package, settings = (f"{bundle.PAYLOAD}/{name}" for name in (manifest.FILE_NAME, inference_config.FILE_NAME))
    settings_data = bundle.read_listed_file(folder, settings, listing) if settings in listing else b""
    return (
        manifest.parse_manifest(bundle.read_listed_file(folder, package, listing), folder / package),
        inference_config.parse_settings(settings_data, folder / settings),
    )


def verified_base_model(layout: Layout, package: Manifest) -> tuple[Path | None, str | None]:
    """Return the folder of the base model's weights, and its digest by the read that was verified.

    Both are None for a full model.
    """
    if not methods.get_method(package.method).result_form.needs_base:
        return None, None
    folder, wanted = layout.base_model_folder(package.stages["base_model"]), package.stages["base_model"]
    try:
        listing = files.tree_manifest(folder) if folder.is_dir() else {}
    except ValueError as error:  # the folder holds a link
        raise Refused(str(error)) from None
    except OSError as error:
        raise_machine_fault(folder, error)
        raise Refused(f"{folder} cannot be read ({error.strerror}); restore it") from None
    if files.sha256_bytes(canonical_json(listing)) != wanted:
        raise Refused(f"{folder} is not the base model that the release is an adapter of ({wanted[:12]}); restore it")
    paths = map(Path, bundle.files_below(listing, "model"))
    if unsafe := sorted(path.name for path in paths if path.suffix not in BASE_MODEL_SUFFIXES):
        raise Refused(f"{folder} holds what could run code when it is read: {', '.join(unsafe)}")
    return folder / "model", bundle.part_digest(listing, "model")

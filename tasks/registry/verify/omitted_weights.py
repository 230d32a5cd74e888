"""Verification of a release's copy that lacks the weights.

Such a copy contains the file attestations/left-out.json:

    {"files": {"payload/model/adapter_model.safetensors": SHA-256, …}, "type": "urn:hallmark:release-left-out:v1"}

The file is not signed and cannot make a release valid. Its only effect is that missing weights make the release
incomplete instead of invalid. The copy can be neither promoted nor served.
"""

from collections.abc import Mapping
from pathlib import Path

from tasks.core import files
from tasks.core.errors import Refused
from tasks.core.json_text import canonical_json
from tasks.registry.release import bundle, contents
from tasks.registry.release.report import Check

TYPE = "urn:hallmark:release-left-out:v1"
WEIGHTS_SUFFIX = ".safetensors"


def weight_files(listing: Mapping[str, str]) -> dict[str, str]:
    model = bundle.files_below(listing, f"{bundle.PAYLOAD}/model")
    return {name: digest for name, digest in model.items() if name.endswith(WEIGHTS_SUFFIX)}


def write_omitted_weights(folder: Path, omitted: Mapping[str, str]) -> None:
    """Write the file that declares which weights a copy of a release lacks, given as SHA-256 by path."""
    files.write_bytes(folder / bundle.OMITTED_WEIGHTS, canonical_json({"type": TYPE, "files": dict(omitted)}))


def read_omitted_weights(folder: Path, listed_digests: Mapping[str, str]) -> dict[str, str]:
    """Return the weights that a copy of a release declares as omitted, as SHA-256 by path; empty if there are none.

    Args:
        folder: Folder of the release.
        listed_digests: SHA-256 by path of the files that the promotion statement lists.

    Raises:
        Refused: The declaration names files that are not weights of this release, or weights that are in the folder.
    """
    if not (folder / bundle.OMITTED_WEIGHTS).exists():
        return {}
    said = contents.parse_json(data := contents.read_file(folder, bundle.OMITTED_WEIGHTS), bundle.OMITTED_WEIGHTS)
    omitted = said.get("files") if isinstance(said, dict) else None
    if not isinstance(omitted, dict) or not omitted or said != {"type": TYPE, "files": omitted}:
        raise Refused(f"{bundle.OMITTED_WEIGHTS} does not say which weights were left out")
    if canonical_json(said) != data:
        raise Refused(f"{bundle.OMITTED_WEIGHTS} is not in canonical form")
    if foreign := {name for name, digest in omitted.items() if weight_files(listed_digests).get(name) != digest}:
        raise Refused(
            f"{bundle.OMITTED_WEIGHTS} names what are no weights of this release: {contents.format_names(foreign)}"
        )
    if present := {name for name in omitted if (folder / name).exists()}:
        raise Refused(
            f"{bundle.OMITTED_WEIGHTS} says that files were left out which are there: {contents.format_names(present)}"
        )
    return omitted


def omitted_weights_check(omitted: Mapping[str, str]) -> Check:
    named = ", ".join(f"{name} (SHA-256 {digest})" for name, digest in sorted(omitted.items()))
    text = f"not here, left out on purpose: {named}; whoever has them compares these digests"
    return Check(about="weights", state="missing", text=text)

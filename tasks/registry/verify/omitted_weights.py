"""Copies of a release without its weights, marked by attestations/left-out.json, so that the rest can be verified.

    {"files": {"payload/model/adapter_model.safetensors": SHA-256, …}, "type": "urn:hallmark:release-left-out:v1"}

The file is not signed, and makes nothing valid: missing weights, and only weights, count as a gap instead of a fault.
The verdict on such a copy is at best `incomplete`, and no installation promotes or serves it.
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


def weights(listing: Mapping[str, str]) -> dict[str, str]:
    model = bundle.files_below(listing, f"{bundle.PAYLOAD}/model")
    return {name: digest for name, digest in model.items() if name.endswith(WEIGHTS_SUFFIX)}


def write(folder: Path, left: Mapping[str, str]) -> None:
    """Mark a copy of a release as one that lacks the weights `left`."""
    files.write_bytes(folder / bundle.LEFT_OUT, canonical_json({"type": TYPE, "files": dict(left)}))


def read(folder: Path, wanted: Mapping[str, str]) -> dict[str, str]:
    """Return the SHA-256, by path, of the weights that a folder declares as left out; empty if it declares none.

    Args:
        folder: Folder of the release.
        wanted: SHA-256 by path of the files that the promotion statement lists.

    Raises:
        Refused: The declaration names anything but weights of this release, or weights that are in the folder.
    """
    if not (folder / bundle.LEFT_OUT).exists():
        return {}
    said = contents.parse_json(data := contents.read_one(folder, bundle.LEFT_OUT), bundle.LEFT_OUT)
    omitted = said.get("files") if isinstance(said, dict) else None
    if not isinstance(omitted, dict) or not omitted or said != {"type": TYPE, "files": omitted}:
        raise Refused(f"{bundle.LEFT_OUT} does not say which weights were left out")
    if canonical_json(said) != data:
        raise Refused(f"{bundle.LEFT_OUT} is not in canonical form")
    if foreign := {name for name, digest in omitted.items() if weights(wanted).get(name) != digest}:
        raise Refused(f"{bundle.LEFT_OUT} names what are no weights of this release: {contents.display_names(foreign)}")
    if present := {name for name in omitted if (folder / name).exists()}:
        raise Refused(
            f"{bundle.LEFT_OUT} says that files were left out which are there: {contents.display_names(present)}"
        )
    return omitted


def check(left: Mapping[str, str]) -> Check:
    named = ", ".join(f"{name} (SHA-256 {digest})" for name, digest in sorted(left.items()))
    text = f"not here, left out on purpose: {named}; whoever has them compares these digests"
    return Check(about="weights", state="missing", text=text)

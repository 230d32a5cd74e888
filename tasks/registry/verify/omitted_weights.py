"""Copies of a release without its weights, marked by attestations/left-out.json so that the rest can be verified.

    {"files": {"payload/model/adapter_model.safetensors": SHA-256, …}, "type": "urn:hallmark:release-left-out:v1"}

The file is not signed and cannot make a release valid. Its only effect is that missing weights count as incomplete
instead of invalid. The verdict on such a copy is at best `incomplete`, and the copy can be neither promoted nor served.
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
    """Mark a copy of a release as lacking the weights `left`, which are given as SHA-256 by path."""
    files.write_bytes(folder / bundle.LEFT_OUT, canonical_json({"type": TYPE, "files": dict(left)}))


def read(folder: Path, wanted: Mapping[str, str]) -> dict[str, str]:
    """Return the weights that a copy of a release declares as omitted, as SHA-256 by path; empty if there are none.

    Args:
        folder: Folder of the release.
        wanted: SHA-256 by path of the files that the promotion statement lists.

    Raises:
        Refused: The declaration names files that are not weights of this release, or weights that are in the folder.
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

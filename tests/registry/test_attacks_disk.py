"""What somebody tries who can write where releases lie: nothing but what was promoted verifies, or is admitted."""

import json
import os
import pickle
import shutil
from pathlib import Path

import pytest

from tasks.core.errors import Refused
from tasks.core.files import read_json
from tasks.registry.promote import releases
from tasks.registry.release import bundle
from tasks.registry.verify import verification
from tests.registry.forging import Attack, Bomb, link, relist, rewrite, swap
from tests.registry.house import House, found, writable

DISK: dict[str, tuple[Attack, str]] = {
    "a swapped adapter": (swap, "changed: payload/model/adapter_model.safetensors"),
    "a swapped adapter, and the list made to fit": (lambda f: (swap(f), relist(f)), "signature does not match"),
    "another tokenizer": (
        lambda f: rewrite(f / "payload/model/tokenizer.json", lambda t: t.update(version="x")),
        "changed: payload/model/tokenizer.json",
    ),
    "another chat template": (lambda f: (f / "payload/model/chat_template.jinja").write_text("{{ x }}"), "changed"),
    "a pickle beside the weights": (
        lambda f: (f / "payload/model/adapter_model.bin").write_bytes(pickle.dumps(Bomb())),
        "not listed .*adapter_model.bin",
    ),
    "an extra file in the payload": (lambda f: (f / "payload/notes.txt").write_text("x"), "not listed .*notes.txt"),
    "an extra attestation": (
        lambda f: (f / "attestations/decisions/release/02.json").write_bytes(
            (f / "attestations/decisions/release/01.json").read_bytes()
        ),
        "not listed .*02.json",
    ),
    "an extra file at the top": (lambda f: (f / ".hidden").write_text("x"), "not listed .*hidden"),
    "an empty folder": (lambda f: (f / "payload/model/__pycache__").mkdir(), "empty folder"),
    "a missing gate": (lambda f: (f / "attestations/gates/release.json").unlink(), "missing: .*gates/release.json"),
    "missing decisions": (lambda f: shutil.rmtree(f / "attestations/decisions/data"), "missing: .*decisions/data"),
    "no promotion statement": (lambda f: (f / bundle.PROMOTION_STATEMENT).unlink(), "promotion.json is missing"),
    "a link for a file": (
        lambda f: link(f / "payload/model/tokenizer.json"),
        "tokenizer.json is not a plain file",
    ),
    "a link for a folder": (lambda f: link(f / "payload/model"), "payload/model is not a plain file"),
    "a link for the statement": (lambda f: link(f / bundle.PROMOTION_STATEMENT), "promotion.json is missing"),
    "a pipe": (lambda f: os.mkfifo(f / "payload/pipe"), "payload/pipe is not a plain file"),
    "edited evidence": (
        lambda f: rewrite(f / "attestations/evidence/evaluation.json", lambda e: e["facts"].clear()),
        "changed: attestations/evidence/evaluation.json",
    ),
    "an edited manifest": (lambda f: rewrite(f / "payload/manifest.json", lambda m: m.update(tier="low ")), "changed"),
    "people with another role": (
        lambda f: rewrite(f / "attestations/people.json", lambda p: p[0].update(roles=["risk"])),
        "changed: attestations/people.json",
    ),
    "another spelling of the statement": (
        lambda f: (f / bundle.PROMOTION_STATEMENT).write_text(
            json.dumps(read_json(f / bundle.PROMOTION_STATEMENT), indent=1)
        ),
        "not in canonical form",
    ),
    "a second signature": (
        lambda f: rewrite(
            f / bundle.PROMOTION_STATEMENT, lambda e: e["signatures"].append(dict(e["signatures"][0], keyid="x"))
        ),
        "expected SHA256:.* alone|canonical",
    ),
    "a statement of gigabytes": (
        lambda f: os.truncate(f / bundle.PROMOTION_STATEMENT, 3 * 2**30),
        "3,221,225,472 bytes",
    ),
    "weights of terabytes": (
        lambda f: os.truncate(f / "payload/model/adapter_model.safetensors", 2**40),
        r"changed: the payload has 1,099,511,\d+,\d+ bytes, \S+ were packaged.* largest is payload/model/adapter_model",
    ),
    "a statement nested deep": (
        lambda f: (f / bundle.PROMOTION_STATEMENT).write_bytes(b"[" * 100_000),
        "recursion|JSON|read",
    ),
    "a file name that is no text": (
        lambda f: Path(os.fsdecode(os.fsencode(f) + b"/payload/\xff")).write_text("x"),
        "not listed|surrogates",
    ),
}


@pytest.mark.attack(rights="disk", stopped="the signed statement lists every file by digest, and no other may be there")
@pytest.mark.parametrize(("attack", "reason"), DISK.values(), ids=DISK.keys())
def test_a_release_that_was_touched_is_neither_valid_nor_admitted(released: House, attack: Attack, reason: str) -> None:
    attack(writable(released.bundle()))
    checked = releases.verify_release(released.bundle(), released.governance)
    assert not checked.ok
    with pytest.raises(Refused, match=reason):
        released.served()
    assert checked.against


@pytest.mark.attack(rights="disk", stopped="the promotion names its release by digest")
def test_a_whole_release_in_the_place_of_another_is_not_admitted(succeeded: House) -> None:
    """The older one is valid by itself, and not what the newest statement names."""
    old, new = succeeded.bundle("triage-1"), succeeded.bundle("triage-2")
    shutil.rmtree(writable(new))
    shutil.copytree(old, new)
    assert releases.verify_release(new, succeeded.governance).ok
    with pytest.raises(Refused, match="holds another release than the one that was promoted as triage-2"):
        succeeded.served()


@pytest.mark.attack(rights="disk", stopped="what does not verify is refused, and nothing older stands in")
def test_no_older_release_takes_the_place_of_a_broken_one(succeeded: House) -> None:
    swap(writable(succeeded.bundle("triage-2")))
    with pytest.raises(Refused, match="triage-2 does not verify"):
        succeeded.served()


@pytest.mark.attack(rights="disk", stopped="the root key must be the one received by another way")
def test_somebody_elses_installation_is_not_believed(released: House, tmp_path: Path) -> None:
    house = found(tmp_path / "elsewhere")
    assert releases.verify_release(released.bundle(), house.governance).against.startswith("the envelope is signed by")
    told = verification.verify_from_root(released.bundle(), house.root_of_trust).against
    assert f"it follows from root key {released.root_of_trust}, expected {house.root_of_trust}" in told

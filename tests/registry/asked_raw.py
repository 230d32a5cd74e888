"""An auditor's twelve questions, answered from files alone by a program that shares no code with Hallmark.

It knows the documented forms (docs/formats, docs/concepts/ledger.md): rows of the ledger's SQLite file, envelopes, a
release's folder. It checks no signature: what it answers is compared with what the commands and the page say.

    python asked_raw.py STATE RELEASE
"""

import base64
import hashlib
import json
import sqlite3
import sys
from pathlib import Path
from typing import Any


def said(envelope: dict[str, Any]) -> dict[str, Any]:
    """The predicate of an envelope's statement."""
    value: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))["predicate"]
    return value


def spelled(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def root_of(leaves: list[bytes]) -> bytes:
    """The hash of a tree as RFC 6962 defines it."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + root_of(leaves[:half]) + root_of(leaves[half:])).digest()


class Asked:
    def __init__(self, state: Path, label: str) -> None:
        self.folder = state / "releases" / label
        columns = "seq, time, kind, subject, body"
        with sqlite3.connect(f"file:{state / 'ledger.db'}?mode=ro", uri=True) as database:
            found = database.execute(f"SELECT {columns} FROM hallmark_ledger ORDER BY seq").fetchall()
        self.rows = [dict(zip(columns.split(", "), row, strict=True)) for row in found]
        self.heads = [said(json.loads(path.read_bytes())) for path in (state / "heads").rglob("*.json")]
        self.promotion = said(self._json("attestations/promotion.json"))
        self.dataset = self._json("payload/dataset/manifest.json")
        self.made = [
            (row, said(json.loads(row["body"])["envelope"])) for row in self.rows if row["kind"] == "promotion.made"
        ]

    def _json(self, name: str) -> Any:
        return json.loads((self.folder / name).read_bytes())

    def _files(self, folder: str) -> list[Any]:
        return [
            json.loads(path.read_bytes()) for path in sorted((self.folder / "attestations" / folder).rglob("*.json"))
        ]

    def approved(self) -> list[list[Any]]:
        """Gate, person, role, reason, time and entry of each decision that the release carries."""
        carried = [spelled(each) for each in self._files("decisions")]
        found = []
        for row in self.rows:
            envelope = json.loads(row["body"]).get("envelope")
            if row["kind"] == "gate.decision" and spelled(envelope) in carried:
                it = said(envelope)
                found.append([it["gate"], it["person"], it["role"], it["reason"], row["time"], row["seq"]])
        return sorted(found)

    def evidence(self) -> dict[str, str]:
        """SHA-256 of the evidence of each gate."""
        folder = self.folder / "attestations" / "evidence"
        return {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.json")}

    def policy(self) -> list[Any]:
        """SHA-256 of the policy, the entry that put it in force, and entries of adoptions since."""
        digest = hashlib.sha256((self.folder / "attestations" / "policy.json").read_bytes()).hexdigest()
        entries = [row["seq"] for row in self.rows if row["kind"] == "governance.adopted"]
        made = next(row["seq"] for row, it in self.made if it["version"] == self.promotion["version"])
        return [digest, max(seq for seq in entries if seq < made), [seq for seq in entries if seq > made]]

    def data(self) -> dict[str, list[str]]:
        """Licence and SHA-256 of each source."""
        return {name: [it["licence"], it["sha256"]] for name, it in self.dataset["sources"].items()}

    def people(self) -> dict[str, str]:
        """Owner of each source."""
        return {name: it["owner"] for name, it in self.dataset["sources"].items()}

    def production(self) -> list[list[str | None]]:
        """From when until when it was in production, each time."""
        times = [(row["time"], it["version"]) for row, it in self.made]
        ends = [*(time for time, _ in times[1:]), None]
        return [
            [time, end]
            for (time, version), end in zip(times, ends, strict=True)
            if version == self.promotion["version"]
        ]

    def changed(self) -> str:
        """The release before it."""
        earlier = [it["version"] for _, it in self.made if it["version"] < self.promotion["version"]]
        return f"{self.promotion['name']}-{max(earlier)}" if earlier else ""

    def waived(self) -> list[str]:
        """Checks that failed."""
        every = [check for each in self._files("evidence") for check in each["checks"]]
        return sorted(check["name"] for check in every if check["verdict"] == "failed")

    def rebuilt(self) -> list[int]:
        """Entries about building it again."""
        label = f"{self.promotion['name']}-{self.promotion['version']}"
        return [row["seq"] for row in self.rows if (row["kind"], row["subject"]) == ("release.reproduced", label)]

    def whole(self) -> bool:
        """Whether the newest head is over the rows as they are."""
        newest = max(self.heads, key=lambda head: head["size"])
        leaves = [spelled(row | {"type": "urn:hallmark:ledger-entry:v1"}) for row in self.rows[: newest["size"]]]
        return root_of(leaves).hex() == newest["root"]

    def looked(self) -> list[int]:
        """Entries of whoever gave a reason and signed nothing: looks, whatever their kind is called."""
        bodies = [(row["seq"], json.loads(row["body"])) for row in self.rows]
        return [seq for seq, body in bodies if {"person", "reason"} <= body.keys() and "envelope" not in body]

    def gaps(self) -> dict[str, bool]:
        """What is missing of code, sandbox, judge, champion and people."""
        stages = [said(each)["environment"]["sandbox"] for each in self._files("stages")]
        return {
            "code": not self._files("code"),
            "sandbox": None in stages,
            "judge": bool((self.promotion["judge"] or {"editable": True})["editable"]),
            "champion": self.promotion["replaces"] is None,
            "demo": self.promotion["demo"],
        }


QUESTIONS = ("approved", "evidence", "policy", "data", "people", "production", "changed", "waived", "rebuilt", "whole",
             "looked", "gaps")  # fmt: skip


if __name__ == "__main__":
    asked = Asked(Path(sys.argv[1]), sys.argv[2])
    print(json.dumps({question: getattr(asked, question)() for question in QUESTIONS}))

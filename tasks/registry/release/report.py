"""What a verification found, for people and for machines."""

from collections.abc import Iterator
from typing import Literal

from pydantic import computed_field

from tasks.core.config import Frozen

Verdict = Literal["valid", "invalid", "incomplete"]
EXIT: dict[Verdict, int] = {"valid": 0, "invalid": 1, "incomplete": 3}
"""Exit codes of `hallmark releases verify`; 2 is for a folder or fingerprint that is none."""


class Check(Frozen):
    about: str
    """The part of the release, e.g. `gate data`."""
    state: Literal["ok", "no", "missing"]
    """`missing`: what it takes is not in the folder, so nothing can be said."""
    text: str
    """What was checked and what came out, in words."""

    @property
    def ok(self) -> bool:
        return self.state == "ok"


class Verification(Frozen):
    """What was checked. A check that failed ends the verification: what stands behind it means nothing then."""

    release: str
    """Name and version as the statement says; empty where there is no valid one."""
    sha256: str
    """Digest of the release; empty where there is no valid statement."""
    root: str
    """Fingerprint of the key that all trust was taken from."""
    demo: bool = False
    """Demo identities let the release through, so no person decided."""
    of: Literal["release", "dossier"] = "release"
    """What was checked. A dossier's checks end with those of its release."""
    checks: list[Check]
    unchecked: list[str]
    """What a folder alone cannot show, in words."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def verdict(self) -> Verdict:
        states = {check.state for check in self.checks}
        return "invalid" if "no" in states or not states else "incomplete" if "missing" in states else "valid"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ok(self) -> bool:
        return self.verdict == "valid"

    @property
    def against(self) -> str:
        """The first check that failed or could not be made; empty where all hold."""
        failed = [check for check in self.checks if check.state == "no"] or [c for c in self.checks if not c.ok]
        return failed[0].text if failed else ""

    def describe(self) -> Iterator[str]:
        """Lines for people: each check under what it is about, what was not checked, the verdict."""
        marks, before = {"ok": "ok", "no": "NO", "missing": "--"}, ""
        for check in self.checks:
            yield f"  {check.about if check.about != before else '':<18} {marks[check.state]}  {check.text}"
            before = check.about
        yield ""
        yield "not checked, since no folder can show it:"
        yield from (f"  {text}" for text in self.unchecked)
        yield ""
        yield self.conclusion()

    def conclusion(self) -> str:
        """The verdict in one line, which never calls a demonstration valid without saying that it is one."""
        what = f"{'the dossier of ' * (self.of == 'dossier')}{self.release}"
        demo = "demonstration only, no person decided" * self.demo
        if self.verdict == "valid":
            return f"valid{f' ({demo})' * self.demo}: {what}, digest {self.sha256}"
        if self.verdict == "incomplete":
            missing = "; ".join(check.text for check in self.checks if check.state == "missing")
            return f"INCOMPLETE{f' ({demo})' * self.demo}: nothing is wrong with {what}, but {missing}"
        return "NOT valid; whatever stands behind what failed was not looked at"

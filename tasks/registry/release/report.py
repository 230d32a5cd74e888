"""Result of verifying a release, dossier or export, as text for people and as JSON for programs."""

from collections.abc import Iterator
from typing import Literal

from pydantic import computed_field

from tasks.core.documents.config import FrozenModel

Verdict = Literal["valid", "invalid", "incomplete"]
EXIT_CODES: dict[Verdict, int] = {"valid": 0, "invalid": 1, "incomplete": 3}
"""Exit code of `hallmark releases verify` for each verdict. The exit code for invalid arguments is 2."""


class Check(FrozenModel):
    about: str
    """Part of the release that was checked, for example `gate data`."""
    state: Literal["ok", "no", "missing"]
    """Outcome of the check: `ok`, `no` if it failed, or `missing` if the folder lacks a file that the check needs."""
    text: str

    @property
    def ok(self) -> bool:
        return self.state == "ok"


class Verification(FrozenModel):
    """Result of verifying a release, dossier or export. Verification stops at the first failed check."""

    release: str
    """Label NAME-VERSION from the promotion statement; empty if no valid statement was found."""
    sha256: str
    """Digest of the release; empty if no valid statement was found."""
    root: str
    """Fingerprint of the root key on which all trust is based."""
    demo: bool = False
    """Whether demo identities approved the release instead of people."""
    of: Literal["release", "dossier", "export"] = "release"
    """Kind of folder that was verified. The checks of a dossier include those of the release in the dossier."""
    checks: list[Check]
    unchecked: list[str]
    """Descriptions of what cannot be verified from a folder alone."""

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
        """Return the text of the first failed check; empty if all passed.

        If no check failed, the text is that of the first check that lacks a file.
        """
        failed = [check for check in self.checks if check.state == "no"] or [c for c in self.checks if not c.ok]
        return failed[0].text if failed else ""

    def describe(self) -> Iterator[str]:
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
        """Return the verdict in one line, which also says whether the release is only a demonstration."""
        what = f"{'' if self.of == 'release' else f'the {self.of} of '}{self.release or 'a release'}"
        demo = "demonstration only, no person decided" * self.demo
        if self.verdict == "valid":
            return f"valid{f' ({demo})' * self.demo}: {what}, digest {self.sha256}"
        if self.verdict == "incomplete":
            missing = "; ".join(check.text for check in self.checks if check.state == "missing")
            return f"INCOMPLETE{f' ({demo})' * self.demo}: nothing is wrong with {what}, but {missing}"
        return "NOT valid; whatever stands behind what failed was not looked at"

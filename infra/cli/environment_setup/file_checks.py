"""Checks of the files and people of a new environment, before anything is written."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from infra.cli.environment_setup import file_texts
from infra.cli.environment_setup.file_names import GOVERNANCE, PARAMS, PEOPLE, POLICY, TESTS, Texts
from tasks.core.documents import config
from tasks.core.error_collector import ErrorCollector
from tasks.core.errors import InputError
from tasks.declarations.signed_declaration import declare_card
from tasks.gates import policy_tests
from tasks.policy import able_people, governance
from tasks.policy.governance import Governance
from tasks.policy.people import MachineName, People
from tasks.policy.policy import Policy
from tasks.runs.requests.resolution import read_params
from tasks.sources import expectation_suites, sources
from tasks.stages.evaluate.suites import suite
from tasks.trust import keys


def require_staffed(root: Path, policy: Policy, people: Any, at: datetime) -> None:
    """Verify that people with roles and keys valid at the time `at` can satisfy every rule of the policy.

    Raises:
        InputError: The people are not valid, or nobody could satisfy a rule. The message lists all problems.
    """
    here = config.validate_document(people, People, root / PEOPLE)
    if keyless := file_texts.without_keys(people):
        raise InputError(
            f"{', '.join(keyless)} needs a key in environment {policy.environment}; give the public one of each"
        )
    able_people.require_able_people(policy, here, root / POLICY, at)


def require_valid(root: Path, texts: Texts) -> Governance:
    """Check the texts as `hallmark policy check` does, and return the governance that results from them.

    The other files are checked as well, because the list of what is left after the adoption is made from them.

    Raises:
        InputError: A text is not valid, or together they ask for something that nobody could do. The message lists all
            problems.
    """
    require_readable(root, texts)
    with _governance_folder(root, texts) as aside:
        loaded = governance.load_governance(aside, root / ".hallmark")
    return replace(loaded, folder=root / GOVERNANCE)


def require_readable(root: Path, texts: Texts) -> None:
    """Check that sources, expectation suites, evaluation suites, test cases and the use-case card can be read.

    Raises:
        InputError: A file is not valid. The message lists the problems of all files.
    """
    mistakes = ErrorCollector()
    with mistakes.collect(), _governance_folder(root, texts) as aside:
        inventory = sources.load_sources(aside)
        expectation_suites.load_suites(root / GOVERNANCE, inventory)
    with mistakes.collect():
        suite.load_suites(root / GOVERNANCE)
    with mistakes.collect(), _governance_folder(root, texts) as aside:
        if TESTS in texts:
            policy_tests.load_cases(aside)
    with mistakes.collect():
        declare_card(read_params(root / PARAMS, {}, texts[PARAMS])[0])
    mistakes.raise_errors()


@contextmanager
def _governance_folder(root: Path, texts: Texts) -> Iterator[Path]:
    """Write the texts to a temporary folder. Error messages of the block name the checkout's folder in its place."""
    with tempfile.TemporaryDirectory() as place:
        aside = Path(place) / "governance"
        aside.mkdir()
        for name in set(texts) - {PARAMS}:
            (aside / Path(name).name).write_text(texts[name], encoding="utf-8")
        try:
            yield aside
        except InputError as error:
            raise InputError(str(error).replace(str(aside), str(root / GOVERNANCE))) from None


def machine_lines_for_check(names: Iterable[MachineName], state: Path) -> dict[MachineName, str]:
    """Return a public key line for each machine: that in `.hallmark/keys`, or of a key that is thrown away at once."""
    lines = {}
    for name in names:
        file = state / "keys" / f"{name}.pub"
        line = file.read_text("utf-8").strip() if file.exists() else ""
        lines[name] = line or keys.make_public_line(Ed25519PrivateKey.generate(), name)
    return lines

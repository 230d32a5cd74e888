"""Who has the secret of the Prefect server: what they write into a flow run's parameters, and what it tells."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.core.errors import InputError, Refused
from tasks.gates import signed_request
from tasks.runs import journal
from tasks.runs.request import RunRequest
from tasks.runs.requests.resolution import read_params
from tasks.runs.requests.signed_requests import require_matching_request
from tasks.runs.run import run_layout
from tests.governed.fixtures import folder, house, made  # noqa: F401
from tests.governed.house import House

RUN_IDS = [
    "../../keys", "runs/../../dvc", "/etc/x", "A", "run 1", "run-1\n", "", "a" * 64, "\uff52un", ".git", "-x", "a\0b",
    "run_1", "r1.git", "\x1b[2J",
]  # fmt: skip


@pytest.mark.attack(
    rights="orchestrator", stopped="a run's id is of small letters, digits and -, and paths are made of it"
)
@pytest.mark.parametrize("run", RUN_IDS, ids=ascii)
def test_a_run_id_leads_nowhere(tmp_path: Path, run: str) -> None:
    with pytest.raises(ValidationError):
        RunRequest(run_id=run)
    for looked in (lambda: run_layout(tmp_path, run), lambda: journal.journal_path(tmp_path, run)):
        with pytest.raises(InputError, match="there is no run"):
            looked()
    assert list(tmp_path.iterdir()) == []


PARAMETERS: dict[str, dict[str, Any]] = {
    "somebody's name": {"requested_by": "Owner"},
    "a path for a name": {"requested_by": "../owner"},
    "a list of names": {"requested_by": ["scheduler"]},
    "nobody": {"requested_by": None},
    "more than there is": {"gates": {}},
    "changes that are none": {"changes": "training.epochs=1"},
    "changes of no text": {"changes": {"training.epochs": {"a": 1}}},
    "demo in words": {"demo_approvals": "perhaps"},
}


@pytest.mark.attack(rights="orchestrator", stopped="a flow run's parameters have one form, and nothing besides")
@pytest.mark.parametrize("given", PARAMETERS.values(), ids=PARAMETERS.keys())
def test_parameters_of_another_form_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RunRequest.model_validate({"run_id": "run-1"} | given)


CANARY = "canary7f3a91"
SECRETS = {
    "a private key": f"-----BEGIN OPENSSH PRIVATE KEY-----\n{CANARY}\n-----END OPENSSH PRIVATE KEY-----\n",
    "a password": CANARY,
    "variables": f"PASSWORD={CANARY}\nTOKEN={CANARY}\n",
    "credentials of a cloud": f"[default]\naws_secret_access_key = {CANARY}\n",
    "of a netrc": f"machine example.org login me password {CANARY}\n",
    "of a kubeconfig": f"users:\n- name: me\n  user:\n    token: {CANARY}\n",
    "of a hub": f"github.com:\n    oauth_token: {CANARY}\n",
    "of a docker": f'{{"auths": {{"hub": {{"auth": "{CANARY}"}}}}}}',
    "a table": f"name,secret\nme,{CANARY}\n",
    "half a file": f"token: '{CANARY}\n",
}


@pytest.mark.attack(
    rights="orchestrator", stopped="of a file that is no params file an error tells keys and lines alone"
)
@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
def test_a_file_that_parameters_name_is_not_told(tmp_path: Path, secret: str) -> None:
    """A flow run says which params file to read, and its state says what was wrong with that."""
    (tmp_path / "file").write_text(secret)
    with pytest.raises(InputError) as refused:
        read_params(tmp_path / "file", {})
    assert CANARY not in str(refused.value)


ENVELOPES: dict[str, Any] = {
    "none": {},
    "no payload": {"payload": "", "payloadType": "application/vnd.in-toto+json", "signatures": []},
    "numbers": {"payload": 1, "payloadType": 2, "signatures": 3},
    "itself in it": {"envelope": {"payload": "e30=", "signatures": []}},
    "nothing signed": {"payload": "e30=", "payloadType": "application/vnd.in-toto+json", "signatures": []},
    "deep": {"payload": [[[[[[[[[[[]]]]]]]]]]], "payloadType": {}, "signatures": [[[]]]},
    "long": {"payload": "A" * 5_000_000, "payloadType": "x", "signatures": []},
    "half a character": {"payload": "\ud800", "payloadType": "x", "signatures": []},
}


@pytest.mark.attack(rights="orchestrator", stopped="a request counts by its envelope, in the one spelling that it has")
@pytest.mark.parametrize("envelope", ENVELOPES.values(), ids=ENVELOPES.keys())
def test_what_is_no_envelope_asks_for_nothing(house: House, envelope: Any) -> None:  # noqa: F811
    with pytest.raises(Refused):
        signed_request.verify_request(envelope, house.governance)


@pytest.mark.attack(
    rights="orchestrator", stopped="a run goes on under its first request alone, whatever comes with another"
)
@pytest.mark.parametrize(
    "changed",
    [
        {"changes": {"training.epochs": "9"}},
        {"params": "examples/params.yaml"},
        {"governance": "/tmp/governance"},
        {"demo_approvals": True},
        {"requested_by": "risk-one"},
        {"requested_by": "scheduler"},
        {"run_id": "run-2"},
        {"commit": "0" * 40},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_an_old_envelope_goes_with_no_other_request(
    house: House,  # noqa: F811
    changed: dict[str, Any],
) -> None:
    """The envelope of a parked run is among its parameters, which everybody reads who has the secret."""
    known = house.request("run-1")
    asked = RunRequest.from_signed(known.request)
    require_matching_request(known, asked, known.envelope)
    for envelope in (known.envelope, house.sign_request("run-1"), None):
        with pytest.raises(Refused):
            require_matching_request(known, RunRequest.model_validate(asked.model_dump() | changed), envelope)

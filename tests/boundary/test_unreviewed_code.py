"""Code of an experiment that nobody signed off: no password, no key, no champion, and no model of a governed run."""

import sys
from pathlib import Path

import pytest

from tasks.core.errors import InputError, Refused
from tasks.core.files import read_json, tree_digest, tree_manifest, write_json
from tasks.core.json_text import canonical_json
from tasks.core.layout import Layout
from tasks.core.params.base_model import BaseModelParams
from tasks.runs.requests import source_resolution
from tasks.runs.run import Run
from tasks.stages.train.base import origins
from tasks.supervise import fetched_models, grants
from tasks.supervise.fetched_models import ModelId
from tasks.supervise.open_files import open_files
from tests.checkouts import Checkouts
from tests.sandbox import inside, make, needs_sandbox
from tests.stages.data.build import source
from tests.tiny_project import create, hallmark

EXPERIMENT = {"use_case.risk_tier": "experiment", "evaluation.workers": "2"}
SECRET = "hunter2-hunter2"
PROXY = f"http://ada:{SECRET}@proxy:3128"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    return checkouts.released(tmp_path_factory.mktemp("unreviewed") / "project")


@pytest.fixture(scope="module")
def unreviewed(project: Path) -> Run:
    return create(project, "nobody-looked", by="colleague", changes=EXPERIMENT)


@pytest.fixture(scope="module")
def reviewed(project: Path, unreviewed: Run) -> Run:
    """An experiment of the same commit, which was signed off meanwhile."""
    hallmark(project, "code", "adopt", "HEAD", "--as", "risk-officer", "--reason", "reviewed")
    return create(project, "signed-off", by="colleague", changes=EXPERIMENT)


def outside(run: Run, stage: str, online: bool = False) -> list[Path]:
    with open_files() as read:
        return [*grants.open_outside_paths(stage, run.layout, online, read)]


@pytest.mark.attack(rights="commit", stopped="code that nobody signed off gets no password of the runner")
@pytest.mark.parametrize(
    ("stage", "name", "value"),
    [
        ("ingest", "AWS_SECRET_ACCESS_KEY", SECRET),
        ("base_model", "HF_TOKEN", SECRET),
        ("base_model", "PIP_INDEX_URL", SECRET),
        ("base_model", "HTTPS_PROXY", PROXY),
    ],
    ids=lambda given: "" if SECRET in given else given,
)
def test_an_experiment_gets_no_password(unreviewed: Run, stage: str, name: str, value: str) -> None:
    online = stage == "base_model"
    assert not grants.grant_of_stage("ingest").needs_network(unreviewed.layout, {})
    assert name not in grants.stage_variables(stage, unreviewed.layout, {name: value}, online)


def test_code_that_was_signed_off_gets_them(reviewed: Run) -> None:
    given = {"HF_TOKEN": SECRET, "PIP_INDEX_URL": SECRET, "HTTPS_PROXY": PROXY}
    assert grants.stage_variables("base_model", reviewed.layout, given, has_network=True).items() >= given.items()
    assert "AWS_SECRET_ACCESS_KEY" in grants.stage_variables(
        "ingest", reviewed.layout, {"AWS_SECRET_ACCESS_KEY": SECRET}, has_network=True
    )


CLUSTER = {
    "RAY_ADDRESS": "head:6379", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": SECRET,
    "HALLMARK_TRAINING_STORAGE": "s3://b/t", "HALLMARK_TRAINING_AWS_SECRET_ACCESS_KEY": SECRET,
}  # fmt: skip


@pytest.mark.attack(rights="commit", stopped="code that nobody signed off gets no cluster and no training storage")
@pytest.mark.parametrize("stage", ["train", "predict@candidate"])
def test_an_experiment_gets_no_cluster(
    unreviewed: Run, reviewed: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    token = tmp_path / "token"
    token.write_text(SECRET)
    given = {**CLUSTER, "RAY_AUTH_TOKEN_PATH": str(token), "CUDA_VISIBLE_DEVICES": "0"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    for layout, has in ((reviewed.layout, given), (unreviewed.layout, {"CUDA_VISIBLE_DEVICES": "0"})):
        online = grants.grant_of_stage(stage).needs_network(layout, given)
        assert online is (has is given)
        own = {"HALLMARK_KEPT_AT": str(layout.run_state)}
        assert (
            grants.stage_variables(stage, layout, given, online)
            == grants.variables_without_sandbox(layout, given)
            == has | own
        )
        with open_files() as read:
            assert (token in grants.open_outside_paths(stage, layout, online, read)) is online


@pytest.mark.attack(rights="commit", stopped="code that nobody signed off finds no settings of pip")
def test_settings_of_pip_are_for_reviewed_code(
    unreviewed: Run, reviewed: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    pip = tmp_path / ".config" / "pip" / "pip.conf"
    pip.parent.mkdir(parents=True)
    pip.write_text(SECRET)
    monkeypatch.setattr(grants, "PIP_CONFIG_PATHS", (pip,))
    monkeypatch.setattr(grants, "PIP_FILES", (pip,))
    assert pip not in outside(unreviewed, "base_model", online=True)
    assert pip in outside(reviewed, "base_model", online=True)
    assert (
        grants.hidden_files("base_model", unreviewed.layout) == grants.hidden_files("clean", reviewed.layout) == (pip,)
    )
    assert grants.hidden_files("base_model", reviewed.layout) == ()


@needs_sandbox
def test_a_hidden_file_cannot_be_read_inside(tmp_path: Path) -> None:
    file = Path(sys.prefix) / "pyvenv.cfg"
    reads = f"""
try:
    found = open({str(file)!r}).read()
except PermissionError:
    found = ""
"""
    assert inside(make(tmp_path / "shown"), reads)
    assert inside(make(tmp_path / "hidden", hidden_files=(file,)), reads) == ""


@pytest.mark.attack(
    rights="commit", stopped="an experiment is compared with no champion of sources that are not public"
)
def test_an_experiment_reads_no_champion_of_confidential_sources(project: Path, unreviewed: Run) -> None:
    assert read_json(unreviewed.layout.champion_path) is None
    assert not [path for path in outside(unreviewed, "predict@champion") if path.is_relative_to(project / ".hallmark")]
    manifest = project / ".hallmark" / "releases" / "tiny-1" / "payload" / "dataset" / "manifest.json"
    text = manifest.read_text()
    manifest.write_text(text.replace('"classification": "internal"', '"classification": "public"'))
    try:
        public = create(project, "public", by="colleague", changes=EXPERIMENT)
    finally:
        manifest.write_text(text)
    assert read_json(public.layout.champion_path)["release"] == "tiny-1"


def test_signed_off_code_is_given_the_champion_and_its_one_base_model(project: Path, reviewed: Run) -> None:
    state = project / ".hallmark"
    payload = state / "releases" / "tiny-1" / "payload"
    base = state / "bases" / read_json(payload / "manifest.json")["stages"]["base_model"]
    (state / "bases" / ("0" * 64)).mkdir()
    given = [path for path in outside(reviewed, "predict@champion") if path.is_relative_to(state)]
    assert given == [payload, base]


@pytest.mark.attack(rights="commit", stopped="a withdrawn sign-off ends the experiments that it gave passwords")
def test_a_sign_off_that_was_taken_back_counts_no_more(project: Path, unreviewed: Run, reviewed: Run) -> None:
    unreviewed.require_unchanged()
    reviewed.require_unchanged()
    hallmark(project, "code", "withdraw", "HEAD", "--as", "risk-officer", "--reason", "reads past its input")
    unreviewed.require_unchanged()
    with pytest.raises(Refused, match="was taken back or counts no more; start a new run"):
        reviewed.require_unchanged()


@pytest.mark.parametrize("changes", [{"training.device": "gpu"}, {"evaluation.device": "gpu"}], ids=str)
def test_an_experiment_that_needs_the_cluster_is_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str]
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    with pytest.raises(Refused, match=r"device (is )?gpu .* is for code that was signed off.*hallmark code adopt"):
        create(project, "wants-gpus", by="colleague", changes=EXPERIMENT | changes)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "checkout" / ".hallmark" / "runs" / "r1")
    made.root.mkdir(parents=True)
    return made


@pytest.mark.attack(rights="commit", stopped="no source is or lies in what a setting of the installation names")
@pytest.mark.parametrize(
    "variable",
    ["HALLMARK_KEY", "AWS_SHARED_CREDENTIALS_FILE", "RAY_AUTH_TOKEN_PATH", "PGPASSFILE", "HALLMARK_LEDGER_HEADS"],
)
def test_no_source_is_what_a_setting_names(layout: Layout, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    named = layout.state.parent.with_name("usb") / "ada"
    named.parent.mkdir()
    named.write_text(f"text\n{SECRET}")
    assert source_resolution.resolve_source(source(str(named)), layout.root).bytes
    monkeypatch.setenv(variable, f"s3://b/heads {named.parent}" if variable.endswith("HEADS") else str(named))
    with pytest.raises(InputError, match="a setting such as HALLMARK_KEY names, where no data is"):
        source_resolution.resolve_source(source(str(named)), layout.root)


@pytest.mark.attack(rights="commit", stopped="no source holds a private key, wherever it lies")
@pytest.mark.parametrize(
    "head",
    [
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "id,text\n1,-----BEGIN OPENSSH PRIVATE KEY-----",
        "\n-----BEGIN PRIVATE KEY-----",
        "Bag Attributes",
    ],
    ids=["OpenSSH", "behind a line", "PEM", "PKCS"],
)
def test_no_source_holds_a_private_key(layout: Layout, tmp_path: Path, head: str) -> None:
    (tmp_path / "ada").write_text(f"{head}\n{SECRET}")
    with pytest.raises(InputError, match="source src: it holds a private key"):
        source_resolution.resolve_source(source(str(tmp_path / "ada")), layout.root)


@pytest.mark.attack(rights="commit", stopped="the table of planted defects is no key either")
@pytest.mark.parametrize("name", [".hallmark/keys/gate", ".git/config", "/etc/shadow", "/proc/self/environ", "link"])
def test_the_truth_is_no_key(layout: Layout, name: str) -> None:
    checkout = layout.state.parent
    for each in (".hallmark/keys/gate", ".git/config"):
        (checkout / each).parent.mkdir(exist_ok=True, parents=True)
        (checkout / each).write_text(SECRET)
    (checkout / "link").symlink_to(checkout / ".git" / "config")
    with pytest.raises(InputError, match=r"^truth: .*where no data is"):
        source_resolution._resolve_truth(name, layout.root)


@pytest.mark.attack(rights="stage", stopped="a list of a model's files is not kept in the model's place")
def test_a_list_of_files_is_not_the_model(layout: Layout, tmp_path: Path) -> None:
    model, box = tmp_path / "model", tmp_path / "box"
    for folder in (model, box):
        folder.mkdir()
    (model / "model.safetensors").write_bytes(b"weights")
    wanted = ModelId(tree_digest(model), is_folder=True)
    (box / wanted.sha256).write_bytes(canonical_json(tree_manifest(model)))
    fetched_models.store_model(layout, wanted, box, "base_model")
    assert fetched_models.find_model(layout, wanted) is None
    left = layout.state / "models" / wanted.sha256
    assert not left.exists()
    left.write_bytes(canonical_json(tree_manifest(model)))  # as an earlier version kept it
    layout.params_path.write_text(f"base_model: {{hub: a/b, revision: x, sha256: {wanted.sha256}}}\n")
    assert grants.grant_of_stage("base_model").needs_network(layout, {})
    base = BaseModelParams(hub="a/b", revision="a" * 40, sha256=wanted.sha256, licence="MIT")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(origins, "download_from_hub", lambda *_: model.rename(tmp_path / "downloaded"))
        assert origins.fetch_base_model(base, layout).is_dir()


@pytest.mark.attack(rights="stage", stopped="what an experiment fetches is kept where governed runs do not look")
def test_what_an_experiment_fetches_is_its_own(layout: Layout, tmp_path: Path) -> None:
    tried = Layout(layout.state / "runs" / "tried")
    write_json(tried.authority_path, {"tier": "experiment"})
    for number, (keeps, known_to) in enumerate([(tried, {tried}), (layout, {tried, layout})]):
        box = tmp_path / f"box{number}"
        model = box / "model"
        model.mkdir(parents=True)
        (model / "model.safetensors").write_text(str(number))
        named = ModelId(tree_digest(model), is_folder=True)
        model.rename(box / named.sha256)
        fetched_models.store_model(keeps, named, box, "base_model")
        assert {each for each in (tried, layout) if fetched_models.find_model(each, named)} == known_to

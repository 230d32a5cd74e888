"""What a stage gets beside its code, its parameters and its inputs. One that is not named here gets nothing more."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tasks.core import config
from tasks.core.errors import InputError
from tasks.core.files import read_json
from tasks.core.layout import Layout
from tasks.sources import sources, vault, vault_keys

Environment = Mapping[str, str]

EVERY = ("PATH", "LANG", "LC_", "TZ", "TQDM_DISABLE", "OMP_", "GOMP_", "LD_LIBRARY_PATH", "HALLMARK_WORKERS")
"""Beginnings of the names of variables that every stage gets."""
ONLINE = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_")
"""The same, for a stage that has a network."""


def _nothing(_: Layout) -> Iterable[Path]:
    return ()


def _no_variables(_: Layout) -> Iterable[str]:
    return ()


def _never(_: Layout, __: Environment) -> bool:
    return False


@dataclass(frozen=True)
class Grant:
    keeps: tuple[str, ...] = ()
    """Folders below .hallmark/ that it writes. No output depends on what lies there."""
    reads: Callable[[Layout], Iterable[Path]] = _nothing
    """Files and folders outside its inputs that it reads."""
    network: Callable[[Layout, Environment], bool] = _never
    """Whether it needs more than a loopback of its own."""
    given: tuple[str, ...] = ()
    """Beginnings of the names of further variables."""
    names: Callable[[Layout], Iterable[str]] = _no_variables
    """Names of further variables, in full."""
    settings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By variable, where its program keeps settings in a person's home: the first that is there is read, and the
    variable says where, since a stage has another home."""
    devices: bool = False
    """It may use the accelerators of the machine."""


def of(stage: str) -> Grant:
    """By the name that DVC knows: `train`, `predict@base`, …"""
    return GRANTS.get(stage.partition("@")[0], Grant())


def variables(stage: str, layout: Layout, environment: Environment, online: bool) -> dict[str, str]:
    """The variables that a stage is given, of those that there are."""
    grant = of(stage)
    beginnings, names = (*EVERY, *grant.given, *(ONLINE if online else ())), set(grant.names(layout))
    given = {name: value for name, value in environment.items() if name in names or name.startswith(beginnings)}
    return {name: str(path) for name, path in settings(stage, online).items()} | given


def settings(stage: str, online: bool) -> dict[str, Path]:
    """By variable, the files with settings for programs that reach elsewhere."""
    places = of(stage).settings if online else {}
    there = {name: [path for place in each if (path := Path.home() / place).is_file()] for name, each in places.items()}
    return {name: paths[0] for name, paths in there.items() if paths}


def _sources(layout: Layout) -> Iterator[Path]:
    """The files of the sources that lie on this machine, and the key of the vault."""
    for item in sources.load_resolved(layout.sources).sources:
        location = sources.expand(item.source.location)
        if "://" not in location:
            yield layout.locate(str(Path(location).expanduser()))
    yield layout.state / vault_keys.FILE


def _reads_elsewhere(layout: Layout, environment: Environment) -> bool:
    resolved = sources.load_resolved(layout.sources).sources
    return bool(environment.get(vault.VARIABLE)) or any(
        "://" in sources.expand(item.source.location) for item in resolved
    )


def _located_by(layout: Layout) -> Iterable[str]:
    return sources.variables(item.source for item in sources.load_resolved(layout.sources).sources)


def _model_folder(layout: Layout) -> Iterator[Path]:
    if folder := _base_model(layout).get("folder"):
        yield layout.state.parent / str(folder)


def _model_is_fetched(layout: Layout, _: Environment) -> bool:
    named = _base_model(layout)
    return not named.get("folder") and not (layout.state / "models" / str(named.get("sha256"))).exists()


def _base_model(layout: Layout) -> Mapping[str, object]:
    """As the run's parameters state it; the stage itself checks it."""
    section = config.read_yaml(layout.params).get("base_model")
    if not isinstance(section, Mapping):
        raise InputError(f"{layout.params}: expected a section base_model")
    return section


def _trains_elsewhere(_: Layout, environment: Environment) -> bool:
    """On a cluster, or tracked by a server."""
    return environment.get("RAY_ADDRESS") not in (None, "", "local") or "://" in environment.get(
        "MLFLOW_TRACKING_URI", ""
    )


def _champion(layout: Layout) -> Iterator[Path]:
    """The payload of the release in production, and the base models that promotions kept."""
    if champion := read_json(layout.champion):
        yield layout.state / champion["payload"]
        yield layout.state / "bases"


GRANTS: Mapping[str, Grant] = {
    "ingest": Grant(
        keeps=("ingested", vault.FOLDER),
        reads=_sources,
        network=_reads_elsewhere,
        given=("AWS_", "HALLMARK_VAULT", "PGPASS"),
        names=_located_by,
        settings={"AWS_SHARED_CREDENTIALS_FILE": (".aws/credentials",), "AWS_CONFIG_FILE": (".aws/config",)},
    ),
    "base_model": Grant(
        keeps=("models",),
        reads=_model_folder,
        network=_model_is_fetched,
        given=("PIP_", "HF_"),
        settings={"PIP_CONFIG_FILE": (".config/pip/pip.conf", ".pip/pip.conf")},
    ),
    "train": Grant(
        keeps=("checkpoints", "mlflow"),
        network=_trains_elsewhere,
        given=("MLFLOW_TRACKING", "RAY_", "CUDA_", "NCCL_"),
        devices=True,
    ),
    "predict": Grant(reads=_champion, given=("CUDA_",), devices=True),
}

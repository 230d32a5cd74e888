"""What a stage gets beside its code, its parameters and its inputs. One that is not named here gets nothing more."""

import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.core import config
from tasks.core.errors import InputError, Refused
from tasks.core.files import read_json, tree_digest
from tasks.core.layout import KEPT_AT, Layout
from tasks.sources import sources
from tasks.stages.cluster import member
from tasks.stages.train import points
from tasks.stages.train.base.model_files import FILES, is_part_of_a_model
from tasks.supervise import box, fetched, network
from tasks.supervise.opened import Opened

Environment = Mapping[str, str]

EVERY = ("PATH", "LANG", "LANGUAGE", "TZ", "TQDM_DISABLE", "LD_LIBRARY_PATH", "HALLMARK_WORKERS")
"""Names of the variables that every stage gets."""
BEGIN = ("LC_", "OMP_", "GOMP_")
"""Beginnings of such names."""
OF_THE_VAULT = ("HALLMARK_VAULT_", "PGPASS")
"""Beginnings of the names of those that lead to the vault, which a stage asks through its supervisor."""
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
ONLINE = (*PROXIES, *(name.lower() for name in PROXIES), "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Names of those that a stage with a network gets."""


def _nothing(_: Layout) -> Iterable[Path]:
    return ()


def _reads_nothing(_: Layout, __: Opened) -> Iterable[Path]:
    return ()


def _no_variables(_: Layout) -> Iterable[str]:
    return ()


def _no_model(_: Layout) -> None:
    return None


def _never(_: Layout, __: Environment) -> bool:
    return False


@dataclass(frozen=True)
class Grant:
    keeps: Callable[[Layout], Iterable[Path]] = _nothing
    """Folders below .hallmark/ that it writes, of its own code alone."""
    fetches: Callable[[Layout], str | None] = _no_model
    """The SHA-256 of the model that it may fetch, which is kept once it is what that says (`fetched.py`)."""
    reads: Callable[[Layout, Opened], Iterable[Path]] = _reads_nothing
    """Files and folders outside its inputs that it reads."""
    settings: tuple[str, ...] = ()
    """The same, below the home of a person, for a stage with a network."""
    network: Callable[[Layout, Environment], bool] = _never
    """Whether it needs more than a loopback of its own."""
    ports: Collection[int] = ()
    """TCP ports that it may connect to with a network, besides those that its settings name."""
    given: tuple[str, ...] = ()
    """Beginnings of the names of further variables."""
    given_online: tuple[str, ...] = ()
    """The same, for a stage with a network."""
    names: Callable[[Layout], Iterable[str]] = _no_variables
    """Names of further variables, in full."""
    vault: bool = False
    """It may add values to the vault, through its supervisor (`vault_service.py`)."""
    devices: bool = False
    """It may use the accelerators of the machine."""
    tells: tuple[str, ...] = ()
    """Files of its folder in measured/ that are handed on while it works."""


def of(stage: str) -> Grant:
    """By the name that DVC knows: `train`, `predict@base`, …"""
    return GRANTS.get(stage.partition("@")[0], Grant())


def variables(stage: str, layout: Layout, environment: Environment, online: bool) -> dict[str, str]:
    """The variables that a stage is given, of those that there are."""
    grant = of(stage)
    names = {*EVERY, *grant.names(layout), *(ONLINE if online else ())}
    begin = (*BEGIN, *grant.given, *(grant.given_online if online else ()))
    given = {name: value for name, value in environment.items() if name in names or name.startswith(begin)}
    return given | _kept_at(layout)


def ports(stage: str, layout: Layout, environment: Environment) -> set[int] | None:
    """The TCP ports that a stage with a network may connect to. None: all, on a machine that cannot close any."""
    if network.why_not():
        return None
    grant, given = of(stage), variables(stage, layout, environment, online=True)
    settings = [path for path in (*_at_home(grant), *PIP_FILES) if path.is_file()]
    texts = [*given.values(), *(path.read_text(errors="replace") for path in settings)]
    return {*grant.ports, *network.ports_in(texts), *network.further(environment.get(network.FURTHER, ""))}


def without_sandbox(layout: Layout, environment: Environment) -> dict[str, str]:
    """Return the variables of a stage without a sandbox: all but those of the vault."""
    given = {name: value for name, value in environment.items() if not name.startswith(OF_THE_VAULT)}
    return given | _kept_at(layout)


def _kept_at(layout: Layout) -> dict[str, str]:
    return {KEPT_AT: str(layout.world)} if layout.is_apart else {}


def outside(stage: str, layout: Layout, online: bool, opened: Opened) -> dict[Path, int]:
    """What a stage reads outside its inputs, as far as it is there, with handles; of a link also what it leads to.

    Raises Refused for a link to what Hallmark keeps on this machine: another stage may have left it.
    """
    grant, places = of(stage), dict[Path, int]()
    for path in (*grant.reads(layout, opened), *(_at_home(grant) if online else ())):
        if opened.holds(path):
            for place in (path, _target(path, opened.real(path), layout)):
                places.setdefault(place, opened.handles[path])
    return places


def _at_home(grant: Grant) -> list[Path]:
    home = box.home()
    return [home / name for name in grant.settings] if home else []


def _target(path: Path, real: Path, layout: Layout) -> Path:
    """What a path leads to. Inside the state that is the same thing, or, of what stands in for a checkout
    (`tasks.reproduce`), the same in the checkout's."""
    own = path.is_relative_to(layout.root) and real.is_relative_to(layout.root.resolve())
    if STATE in real.parts and not own:
        place = real.parts[len(real.parts) - real.parts[::-1].index(STATE) :]
        if not path.is_relative_to(layout.state) or place != path.relative_to(layout.state).parts:
            raise Refused(f"{path} leads to {real}, which no stage reads by that name; remove it")
    return real


def _sources(layout: Layout, opened: Opened) -> Iterator[Path]:
    """The files of the sources that lie on this machine."""
    for item in sources.load_resolved(layout.sources).sources:
        location = sources.expand(item.source.location)
        if "://" not in location:
            path = layout.locate(str(Path(location).expanduser()))
            require_data(item.source.id, opened.real(path), layout)
            yield path


def require_data(source: str, path: Path, layout: Layout) -> None:
    """Raises InputError where a source lies among what Hallmark keeps, here or in another checkout, what a person keeps
    for programs, or what is the machine's: whoever writes sources.yaml would have `ingest` read keys."""
    where = Path(os.path.realpath(path))
    machine = any(where.is_relative_to(place) for place in NO_DATA)
    places = [layout.root.resolve(), layout.state.parent.resolve(), *([home.resolve()] if (home := box.home()) else [])]
    within = next((where.relative_to(place) for place in places if where.is_relative_to(place)), where)
    if machine or any(part.startswith(".") for part in within.parts):
        raise InputError(
            f"source {source}: its location is or lies in something hidden, such as {layout.state.name}, .git or .ssh, "
            f"or in {', '.join(NO_DATA)}, where no data is; correct its location in sources.yaml"
        )


def _is_hidden(where: Path) -> bool:
    """Whether a model lies where a person keeps something for programs, keys among it."""
    home = box.home()
    within = where.relative_to(home.resolve()).parts[:1] if home and where.is_relative_to(home.resolve()) else ()
    return bool(within) and within[0].startswith(".") and within[0] not in DATA_AT_HOME


def _kept_by_ingest(layout: Layout) -> Iterator[Path]:
    yield layout.kept("ingested", "ingest")


def _reads_elsewhere(layout: Layout, _: Environment) -> bool:
    return any("://" in sources.expand(item.source.location) for item in sources.load_resolved(layout.sources).sources)


def _located_by(layout: Layout) -> Iterable[str]:
    return sources.variables(item.source for item in sources.load_resolved(layout.sources).sources)


def _models(layout: Layout, opened: Opened) -> Iterator[Path]:
    """The folder that is named, a model that was fetched before, and how pip finds its index."""
    named = _base_model(layout)
    if folder := named.get("folder"):
        path = layout.state.parent / str(folder)
        _require_the_model(path, str(named.get("sha256")), layout, opened)
        yield path
    if fetched.there(layout, str(named.get("sha256"))):
        yield fetched.place(layout, str(named.get("sha256")))
    yield from PIPS


def _require_the_model(folder: Path, sha256: str, layout: Layout, opened: Opened) -> None:
    """A run's own parameters name the folder, and the stage is to see the model that they mean, not whatever folder it
    likes. Raises InputError, which says nothing of what else is there. One that is not there the stage itself tells."""
    where, itself, state = opened.real(folder), opened.itself(folder), layout.state.resolve()
    if state.is_relative_to(where) or where.is_relative_to(state) or _is_hidden(where):
        raise InputError(
            f"base_model.folder: {folder} holds more than a model, or lies in {state} or a hidden folder of a home; "
            "give another"
        )
    if not itself.is_dir():
        return
    if not all(is_part_of_a_model(path) for path in itself.rglob("*") if not path.is_dir()):
        raise InputError(
            f"base_model.folder: {folder} holds other files than those of a model ({', '.join(FILES)}); give one that "
            "holds the model alone"
        )
    try:
        found = tree_digest(itself)
    except ValueError:
        raise InputError(f"base_model.folder: {folder} holds links; copy the files in their place") from None
    if found != sha256:
        raise InputError(
            f"base_model.sha256: {folder} holds another model than {sha256}; `hallmark params --check` tells the "
            "digest of what is there"
        )


def _model_has_to_be_fetched(layout: Layout, _: Environment) -> bool:
    named = _base_model(layout)
    return not named.get("folder") and not fetched.there(layout, str(named.get("sha256")))


def _fetched(layout: Layout) -> str | None:
    named = _base_model(layout)
    return None if named.get("folder") else str(named.get("sha256"))


def _base_model(layout: Layout) -> Mapping[str, object]:
    return _section(layout, "base_model")


def _section(layout: Layout, name: str) -> Mapping[str, object]:
    """As the run's parameters state it; the stage itself checks it."""
    section = config.read_yaml(layout.params).get(name)
    if not isinstance(section, Mapping):
        raise InputError(f"{layout.params}: expected a section {name}")
    return section


def _has_a_cluster(environment: Environment) -> bool:
    return environment.get("RAY_ADDRESS") not in (None, "", "local")


def _trains_elsewhere(_: Layout, environment: Environment) -> bool:
    return _has_a_cluster(environment)


def _answers_elsewhere(layout: Layout, environment: Environment) -> bool:
    """On a cluster, as `Evaluation.by_ray` says of parameters that were checked."""
    if not _has_a_cluster(environment):
        return False
    asked = _section(layout, "evaluation")
    return asked.get("workers", 1) != 1 or asked.get("device") == "gpu"


def _kept_by_train(layout: Layout) -> Iterator[Path]:
    yield layout.kept("checkpoints", "train")


def _of_a_cluster(_: Layout, __: Opened) -> Iterator[Path]:
    """Files that Ray's settings name, for who works on a cluster."""
    if _has_a_cluster(os.environ):
        yield from (Path(value) for name, value in os.environ.items() if name in RAY_FILES and value.startswith("/"))


def _champion(layout: Layout) -> Iterator[Path]:
    """The payload of the release in production, and the base models that promotions kept."""
    if champion := read_json(layout.champion):
        yield layout.state / champion["payload"]
        yield layout.state / "bases"


def _read_by_predict(layout: Layout, opened: Opened) -> Iterator[Path]:
    yield from _champion(layout)
    if _answers_elsewhere(layout, os.environ):
        yield from _of_a_cluster(layout, opened)


PIPS = (Path("/etc/pip.conf"), Path("/etc/xdg/pip"))
"""Where pip finds its index, besides a home and this environment."""
PIP_FILES = (PIPS[0], PIPS[1] / "pip.conf", Path(sys.prefix) / "pip.conf")
RAY_FILES = ("RAY_AUTH_TOKEN_PATH", "RAY_TLS_SERVER_CERT", "RAY_TLS_SERVER_KEY", "RAY_TLS_CA_CERT")
STATE = ".hallmark"
DATA_AT_HOME = (".cache", ".local")
"""Hidden folders of a home that a model may lie in; others hold keys and settings."""
NO_DATA = ("/proc", "/sys", "/dev", "/run", "/etc", "/boot")
"""Folders of the machine itself, its keys and passwords among them."""

GRANTS: Mapping[str, Grant] = {
    "ingest": Grant(
        keeps=_kept_by_ingest,
        reads=_sources,
        settings=(".aws/credentials", ".aws/config"),
        network=_reads_elsewhere,
        given=("AWS_",),
        names=_located_by,
        vault=True,
    ),
    "base_model": Grant(
        fetches=_fetched,
        reads=_models,
        settings=(".config/pip/pip.conf", ".pip/pip.conf"),
        network=_model_has_to_be_fetched,
        given=("PIP_", "HF_"),
    ),
    "train": Grant(
        keeps=_kept_by_train,
        reads=_of_a_cluster,
        network=_trains_elsewhere,
        ports=member.PORTS,
        given=("RAY_", "CUDA_", "NCCL_", "HALLMARK_TRAINING_"),
        devices=True,
        tells=(points.FILE,),
    ),
    "predict": Grant(
        reads=_read_by_predict,
        network=_answers_elsewhere,
        ports=member.PORTS,
        given=("CUDA_",),
        given_online=("RAY_", "NCCL_", "HALLMARK_TRAINING_"),
        devices=True,
    ),
}

"""All files of a new use case, with what was guessed and why; checked as a run checks them before one is written."""

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from tasks.core import config
from tasks.core.errors import HallmarkError, InputError, Refused, Unavailable, is_full_disk
from tasks.core.files import whole_folder
from tasks.core.layout import Layout
from tasks.core.params import params as parameters_file
from tasks.policy import governance as rules
from tasks.policy import satisfiable
from tasks.policy.governance import Governance
from tasks.scaffold import columns, document, expected, governed, parameters, sampled, told
from tasks.scaffold.answers import Answers
from tasks.scaffold.columns import Column
from tasks.scaffold.mapping import Mapped
from tasks.scaffold.opened import Opened
from tasks.sources import sources
from tasks.sources.sources import Constants, Mapping
from tasks.supervise import grants

FOLDER = "examples"


class Planned(NamedTuple):
    path: str
    """Below the folder of the use case."""
    text: str
    guessed: list[tuple[str, str]]
    """What was guessed, and why."""


@dataclass(frozen=True)
class Plan:
    folder: Path
    files: list[Planned]
    requester: str
    """Who may ask for its runs."""
    environment: str
    """That of the policy."""
    look: list[str]
    """What somebody should look at before the first run."""


def locate(file: str, root: Path) -> str:
    """The location of a file as sources.yaml has it: below the checkout where it lies there. Raises InputError for what
    is no file, and for one where no data is."""
    if file.startswith("s3://"):
        return file
    try:
        path = Path(file).expanduser().resolve()
        kind = _kind(path) if file else ""
    except (OSError, RuntimeError, ValueError):
        raise InputError(f"{file!r} is no path; give that of a csv, jsonl or parquet file") from None
    if kind != "file":
        what = f"it is a {kind}" if kind else "there is no such file"
        raise InputError(f"{file or repr(file)}: {what}; give the path of a csv, jsonl or parquet file")
    if "${" in str(path):
        raise InputError(f"{file}: `${{` in a location stands for a variable; rename the file or its folder")
    grants.require_data("FILE", path, Layout(root))
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _kind(path: Path) -> str:
    """What is there, in words; empty for nothing."""
    return "file" if path.is_file() else "folder" if path.is_dir() else "pipe or device" if path.exists() else ""


def profile(opened: Opened) -> list[Column]:
    """What each column holds. Raises InputError where the first line is a row of data."""
    made = [columns.profiled(name, opened.sample) for name in opened.names]
    if opened.source.kind == "csv" and (stray := [each for each in made if each.name in each.values and each.repeats]):
        raise InputError(
            f"{opened.source.location}: its first line looks like a row of data ({stray[0].name!r} stands further down "
            "in the same column too); write a line with the names of the columns above it"
        )
    return made


def make(root: Path, name: str, tier: str, answers: Answers, opened: Opened, mapped: Mapped) -> Plan:
    """The plan, every file of it checked. Raises InputError for answers and names that no file can have."""
    source = opened.source.model_copy(
        update={"mapping": Mapping.model_validate(mapped.keys), "constants": Constants(task=name)}
    )
    sample = sampled.take(opened.sample, source)
    rows = opened.rows - opened.malformed
    share, *sides = parameters.shares(rows, sample)
    folder = root / "infra" / "governance"
    policy, changed = governed.policy(folder, tier, (sides[0], sides[1]), parameters.form(sample) != "text")
    people, added = governed.people(folder, answers.owner)
    with tempfile.TemporaryDirectory() as aside:
        trial = Path(aside) / name
        _write(trial / "governance", [Planned("policy.yaml", policy, []), Planned("people.yaml", people, [])])
        judged = _told(lambda: rules.load(trial / "governance", root / ".hallmark"), trial, root / FOLDER / name)
    requester = _requester(judged, tier, answers.owner)
    card = parameters.made(
        name, answers, sample, rows, tier, requester, _business(judged, tier, answers.owner),
        config.plain(config.read_yaml(root / "params.yaml")),
    )  # fmt: skip
    listed = governed.sources(name, opened, mapped, answers, sample)
    suite = expected.of_source(name, sample, rows, mapped.keys)
    files = [
        Planned("params.yaml", document.text(card[0], _heading(name, requester), card[1]),
                told.of_params(sample, share, sides)),
        Planned("governance/sources.yaml", document.text(listed[0], _SOURCES, listed[1]),
                told.of_source(opened, mapped, sample)),
        Planned(f"governance/expectations/{name}.yaml", document.text(suite, _SUITE), told.of_suite(suite)),
        Planned("governance/expectations/dataset.yaml", document.text(expected.of_dataset(name, sample), _DATASET), []),
        Planned("governance/policy.yaml", policy, 
                [("as in the checkout", "but for what follows")] * bool(changed) + changed),
        Planned("governance/people.yaml", people,
                [(f"{answers.owner} added, role data_owner", "they were nobody in people.yaml")] * added),
    ]  # fmt: skip
    plan = Plan(root / FOLDER / name, files, requester, judged.policy.environment, told.look(opened, mapped, sample))
    _check(plan, root)
    return plan


def write(plan: Plan) -> None:
    """All files, or none. Raises InputError where the place is taken or nobody may write there, Unavailable for a full
    disk."""
    refuse_taken(plan.folder)
    try:
        with whole_folder(plan.folder) as folder:
            _write(folder, plan.files)
    except OSError as error:
        kind = Unavailable if is_full_disk(error) else InputError
        raise kind(f"{plan.folder}: cannot be written ({error.strerror or error}); nothing was written") from None


def refuse_taken(folder: Path) -> None:
    """Raises InputError where the folder is there, or another use case has its name: models go by that."""
    if folder.exists() or folder.is_symlink():
        raise InputError(f"{folder} is there already, and nothing is written over; take another name, or remove it")
    root = folder.parent.parent
    for file in (root / "params.yaml", *sorted(folder.parent.glob("*/params.yaml"))):
        if _name_of(file) == folder.name:
            raise InputError(f"{file} has a use case of this name, and its models; take another name")


def _name_of(file: Path) -> str | None:
    """The use case of a params file; None where that cannot be told, which its own run does."""
    with suppress(InputError, AttributeError, LookupError, TypeError):
        return str(config.read_yaml(file)["use_case"].get("name")) if file.is_file() else None
    return None


_SOURCES = "Where the data lies, what its columns mean and who answers for it. Its owner signs this at the data gate."
_SUITE = "What the data owner expects of the file. Drawn from one file, so that its owner has something to correct."
_DATASET = "What the data owner expects of all records together."


def _heading(name: str, requester: str) -> str:
    return (
        f"Parameters of {name}, written by `hallmark new`. `hallmark params --schema` says what each key means.\n"
        f"  hallmark run --as {requester} --params {FOLDER}/{name}/params.yaml --governance {FOLDER}/{name}/governance"
    )


def _write(folder: Path, files: Sequence[Planned]) -> None:
    for file in files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text, encoding="utf-8")


def _check(plan: Plan, root: Path) -> None:
    """Read all of them as a run does, somewhere aside."""
    with tempfile.TemporaryDirectory() as aside:
        trial = Path(aside) / plan.folder.name
        _write(trial, plan.files)

        def read() -> None:
            parameters_file.load(trial / "params.yaml")
            sources.load_suites(trial / "governance", sources.load(trial / "governance"))
            rules.load(trial / "governance", root / ".hallmark")

        _told(read, trial, plan.folder)
        shutil.rmtree(trial)


def _told(read: Any, trial: Path, folder: Path) -> Any:
    """What `read` gives; its errors name the files as they will be called."""
    try:
        return read()
    except HallmarkError as error:
        raise type(error)(str(error).replace(str(trial), str(folder))) from None


def _requester(judged: Governance, tier: str, owner: str) -> str:
    """The first person who may ask for a run that can pass. Raises Refused where there is none."""
    now, rules_of, why = datetime.now(UTC), judged.policy.tier(tier), "people.yaml has nobody else"
    for person in judged.people.people:
        if person.demo or person.id == owner or rules_of.may_not_request(person.id, person.roles_at(now)):
            continue
        hopeless = satisfiable.for_run(judged.policy, judged.people, tier, person.id, [owner], False, now)
        if not hopeless:
            return person.id
        why = hopeless
    raise Refused(f"nobody could ask for a run of tier {tier} on data of {owner}: {why}; change --owner or people.yaml")


def _business(judged: Governance, tier: str, owner: str) -> str:
    """Who decides on evaluations, as they answer for what the model is used for; the owner where that is nobody."""
    gate = judged.policy.tier(tier).gates.get("evaluation")
    roles = {role.role for role in gate.decisions} if gate else set()
    able = [each.id for each in judged.people.people if not each.demo and roles & set(each.roles_at(datetime.now(UTC)))]
    return able[0] if able else owner

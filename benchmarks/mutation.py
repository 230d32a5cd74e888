"""Mutation testing: small faults in the code of some rooms, one at a time, and whether the tests detect them.

    pytest --cov=tasks --cov-branch --cov-context=test --junitxml=times.xml
    python benchmarks/mutation.py ROOM... [--contexts .coverage] [--times times.xml] [--mutants 80] [--seed 1]
        [--tests 12] [--seconds 60] [--jobs 2] [--only ID...] [--again FILE] [--out benchmarks/results/mutation.json]

A ROOM is a folder or file of the commit that is checked out. The mutants are those of cosmic-ray's operators on lines
that a test covers, without those in annotations. The sample first draws places and then one change of each place, since
cosmic-ray has eleven changes of a `+` and one of an `and`. A line of a module or class body runs at import, so its
mutants are run with the tests that call a function in that file.

Each mutant is run, in a copy of the tree, with up to `--tests` of the tests that cover its line, fastest first, until
one fails. Tests in the test file of the module are chosen first, then the fastest, until their times add up to half of
`--seconds`. A mutant counts as timed out after `--seconds` of processor time, or five times that in real time. The
tests that detected a mutant are run once more with only a comment added to each file. If one of them fails then too,
its mutants are run without it. A survivor may be one that only a slower test would detect: `--only` runs given mutants
again, with more tests and more time.

`--again FILE` takes the mutants of an earlier result, even if lines have moved since: those of the same file and
operator, with the same change of the same text. In this way two commits can be compared. Exits with 3 if no room is
named, or if cosmic-ray, coverage or the contexts are missing.
"""

import argparse
import ast
import contextlib
import difflib
import json
import os
import platform
import random
import re
import subprocess
import sys
import tempfile
import time
import venv
import warnings
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
DEFAULT_SECONDS = 5.0
"""Seconds assumed for a test whose time is not known."""
OUTCOMES = ("killed", "survived", "timed out", "no test")
SECOND_RUN_SECONDS = 1800
"""Maximum number of seconds for the second run, of all tests that detected a mutant."""
REAL_TIME_FACTOR = 5
"""Factor from processor time to the maximum real time: the machine may be shared, and some tests wait."""
PHASE_SUFFIX = re.compile(r"\|(setup|run|teardown)$")
"""Suffix that pytest-cov adds to the name of a test."""
Lines = dict[int, set[str]]


@dataclass(frozen=True)
class Mutant:
    path: str
    line: int
    operator: str
    occurrence: int

    @property
    def id(self) -> str:
        return f"{self.path}:{self.line}:{self.operator.removeprefix('core/')}:{self.occurrence}"


@dataclass
class Result:
    room: str
    mutant: Mutant
    diff: str
    tests: list[str]
    covering: int
    outcome: str = "no test"
    by: str = ""


class Coverage:
    """Tests that cover each line, from coverage's data, with the duration of each test."""

    def __init__(self, data: Path, times: Path | None) -> None:
        from coverage import CoverageData

        self._data = CoverageData(str(data))
        self._data.read()
        self.times = dict(read_times(times)) if times else {}

    def lines(self, path: str) -> Lines:
        """Return the tests of each line of a file. Measured paths may be in another folder with the same tree."""
        tests: Lines = {}
        for name in self._data.measured_files():
            if name == path or name.endswith(f"/{path}"):
                for line, contexts in self._data.contexts_by_lineno(name).items():
                    tests.setdefault(line, set()).update(PHASE_SUFFIX.sub("", c) for c in contexts if "::" in c)
        return tests

    def seconds(self, test: str) -> float:
        return self.times.get(key(test), DEFAULT_SECONDS)


def read_times(path: Path) -> Iterator[tuple[str, float]]:
    for case in ET.parse(path).iter("testcase"):
        yield f"{case.get('classname')}::{case.get('name')}", float(case.get("time", DEFAULT_SECONDS))


def key(test: str) -> str:
    file, _, name = test.partition("::")
    return f"{file.removesuffix('.py').replace('/', '.')}::{name}"


@cache
def tree(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text())


def annotations(path: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    nodes = [
        getattr(node, name, None)
        for node in ast.walk(tree(path))
        for name in ("annotation", "returns")
        if not isinstance(node, ast.FormattedValue)
    ]
    return [((n.lineno, n.col_offset), (n.end_lineno, n.end_col_offset)) for n in nodes if n is not None]


def function_lines(path: str) -> set[int]:
    nodes = (node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {line for node in nodes for line in range(node.body[0].lineno, (node.end_lineno or 0) + 1)}


def statement_lines(path: str) -> Iterator[range]:
    """Yield the lines of each statement. A compound statement has only the lines before its body."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.stmt):
            body: list[ast.stmt] = getattr(node, "body", [])
            last = body[0].lineno - 1 if body else node.end_lineno or 0
            yield range(node.lineno, max(node.lineno, last) + 1)


def covering(path: str, contexts: Coverage) -> Lines:
    covered, inside = contexts.lines(path), function_lines(path)
    callers = set().union(*(tests for line, tests in covered.items() if line in inside))
    noticing = dict(covered)
    for lines in statement_lines(path):
        tests = set().union(*(covered.get(line, ()) for line in lines))
        for line in lines:
            noticing[line] = tests if line in inside else callers
    return noticing


def places(path: str, covered: Lines | None = None) -> Iterator[list[Mutant]]:
    """Yield the mutants of each place and kind of change; only of places that tests cover if `covered` is given."""
    from cosmic_ray import plugins
    from cosmic_ray.ast import ast_nodes, get_ast_from_path

    left, nodes = annotations(path), list(ast_nodes(get_ast_from_path(ROOT / path)))
    mutants: dict[tuple[Any, ...], list[Mutant]] = {}
    for name in plugins.operator_names():
        operator = plugins.get_operator(name)
        if operator.arguments():
            continue
        positions = (position for node in nodes for position in operator().mutation_positions(node))
        for occurrence, (start, end) in enumerate(positions):
            counts = covered is None or covered.get(start[0])
            if counts and not any(begin <= start and end <= stop for begin, stop in left):
                kind = name.split("_")[0]
                mutants.setdefault((start, end, kind), []).append(Mutant(path, start[0], name, occurrence))
    yield from mutants.values()


def is_python(mutant: Mutant) -> bool:
    """Return whether the mutant is valid Python.

    cosmic-ray makes some changes that are not, and cannot make others, such as `except errors.Some`.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            compile(mutated(mutant), mutant.path, "exec")
    except (SyntaxError, AttributeError):
        return False
    return True


def mutated(mutant: Mutant) -> str:
    from cosmic_ray import plugins
    from cosmic_ray.mutating import mutate_code

    code: str | None = mutate_code(
        (ROOT / mutant.path).read_text(), plugins.get_operator(mutant.operator)(), mutant.occurrence
    )
    assert code is not None, f"{mutant.id} changes nothing"
    return code


def diff(mutant: Mutant) -> str:
    before, after = (ROOT / mutant.path).read_text(), mutated(mutant)
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), mutant.path, mutant.path, "", "", 1, "")
    return "\n".join(lines)


def choose_tests(mutant: Mutant, tests: Iterable[str], contexts: Coverage, most: int, seconds: float) -> list[str]:
    """Choose tests: those in the module's own test file first, then the fastest. Return them with the fastest first."""
    module = Path(mutant.path).stem
    own = re.compile(rf"/test_{re.escape(module.strip('_'))}s?\.py::")
    known, left = list[str](), seconds
    for test in sorted(tests, key=lambda test: (not own.search(test), contexts.seconds(test), test)):
        if len(known) < most and contexts.seconds(test) <= left:
            known.append(test)
            left -= contexts.seconds(test)
    return sorted(known, key=lambda test: (contexts.seconds(test), test))


class CheckoutCopy:
    """Copy of the commit in a folder of its own, with a Python that runs its code with this Python's packages."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        subprocess.run(["git", "clone", "--quiet", "--shared", str(ROOT), str(folder)], check=True)
        venv.create(folder / ".venv", symlinks=True)
        self.python = folder / ".venv" / "bin" / "python"
        packages = [path for path in sys.path if path.endswith("site-packages")]
        (site,) = (folder / ".venv" / "lib").glob("*/site-packages")
        (site / "copy.pth").write_text("\n".join([str(folder), *packages]) + "\n")
        for script in Path(sys.executable).parent.iterdir():
            if script.is_file() and not script.is_symlink() and (text := script.read_bytes()).startswith(b"#!/"):
                target = self.python.with_name(script.name)
                target.write_bytes(f"#!{self.python}\n".encode() + text.partition(b"\n")[2])
                target.chmod(0o755)

    def run(self, tests: list[str], seconds: float, *more: str) -> tuple[int | None, str]:
        """Run tests. Return pytest's exit code, which is None after a timeout, and its output."""
        command = [str(self.python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=no", *more, *tests]
        environment = os.environ | {"HALLMARK_SHARED": os.environ.get("HALLMARK_SHARED", str(ROOT.parent / "shared"))}
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryDirectory() as scratch:
            environment["TMPDIR"] = scratch
            process = psutil.Popen(
                command, cwd=self.root, stdout=output, stderr=output, env=environment, start_new_session=True
            )
            try:
                code = wait_for_exit(process, seconds)
            finally:
                kill_all(process)
            output.seek(0)
            return code, output.read()

    def try_out(self, result: Result, seconds: float) -> Result:
        path = self.root / result.mutant.path
        before = path.read_text()
        path.write_text(mutated(result.mutant))
        try:
            code, output = self.run(result.tests, seconds, "-x")
        finally:
            path.write_text(before)
        if code not in (None, 0, 1, 2, 4):  # 2 and 4: the mutant cannot be imported
            raise RuntimeError(f"{result.mutant.id}: pytest ended with {code}:\n{output}")
        result.outcome = "timed out" if code is None else "killed" if code else "survived"
        result.by = next(iter(failures(result.tests, output)), "none could be collected" if code else "")
        return result


def wait_for_exit(process: psutil.Popen, seconds: float) -> int | None:
    """Wait for the process. Return its exit code, or None after a timeout."""
    began = time.monotonic()
    while True:
        with contextlib.suppress(psutil.TimeoutExpired):
            return int(process.wait(timeout=0.2))
        with contextlib.suppress(psutil.NoSuchProcess):
            if sum(process.cpu_times()[:4]) > seconds or time.monotonic() - began > REAL_TIME_FACTOR * seconds:
                return None


def kill_all(process: psutil.Popen) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in [*process.children(recursive=True), process]:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
    process.wait()


def failures(tests: list[str], output: str) -> list[str]:
    lines = [line.partition(" ")[2] for line in output.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return [test for test in tests if any(line == test or line.startswith(f"{test} - ") for line in lines)]


def failing(copy: CheckoutCopy, tests: list[str], paths: set[str]) -> set[str]:
    """Return the tests that fail without a mutant, including those that fail because files differ from the commit."""
    if not tests:
        return set()
    for path in paths:
        with (copy.root / path).open("a") as file:
            file.write("\n# changed\n")
    code, output = copy.run(tests, SECOND_RUN_SECONDS)
    if code not in (0, 1):
        raise RuntimeError(f"the tests without a mutant ended with {code}:\n{output[-3000:]}")
    for path in paths:
        (copy.root / path).write_text((ROOT / path).read_text())
    return set(failures(tests, output))


def sample(rooms: list[str], contexts: Coverage, given: argparse.Namespace) -> list[Result]:
    spots: list[tuple[str, list[Mutant]]] = []
    covered: dict[str, Lines] = {}
    for room in rooms:
        for path in files(room):
            covered[path] = covering(path, contexts)
            spots += [(room, mutants) for mutants in places(path, covered[path])]
    dice = random.Random(given.seed)
    if given.again:
        drawn = list(earlier_mutants(json.loads(given.again.read_text())[-1]["results"]))
    elif given.only:
        drawn = [(room, mutant) for room, mutants in spots for mutant in mutants if mutant.id in given.only]
    else:
        ways = ((room, dice.choice(mutants)) for room, mutants in dice.sample(spots, len(spots)))
        drawn = list(islice(((room, mutant) for room, mutant in ways if is_python(mutant)), given.mutants))
    print(f"{len(spots):,} places in {len(covered)} files that tests cover, {len(drawn)} mutants, seed {given.seed}")
    return [
        Result(
            room,
            mutant,
            diff(mutant),
            choose_tests(mutant, tests, contexts, given.tests, given.seconds / 2),
            len(tests),
        )
        for room, mutant in drawn
        for tests in [covered[mutant.path].get(mutant.line, set())]
    ]


def earlier_mutants(results: list[dict[str, Any]]) -> Iterator[tuple[str, Mutant]]:
    """Yield the mutants of an earlier result, with their rooms, and print those that do not exist any more."""
    for path in sorted({result["mutant"]["path"] for result in results}):
        before = [result for result in results if result["mutant"]["path"] == path]
        there = [mutant for mutants in places(path) for mutant in mutants] if (ROOT / path).is_file() else []
        text = (ROOT / path).read_text().splitlines() if there else []
        for result in before:
            change, operator = changed_lines(result["diff"]), result["mutant"]["operator"]
            likely = [m for m in there if m.operator == operator and f"-{text[m.line - 1]}" in change]
            same = [mutant for mutant in likely if changed_lines(diff(mutant)) == change]
            line = result["mutant"]["line"]
            found = min(same, key=lambda mutant, line=line: abs(mutant.line - line), default=None)
            if found is None:
                print(f"not there any more: {result['id']}")
                continue
            there.remove(found)
            yield result["room"], found


def changed_lines(text: str) -> list[str]:
    return [line for line in text.splitlines()[2:] if line.startswith(("-", "+"))]


def files(room: str) -> list[str]:
    place = ROOT / room
    return [str(path.relative_to(ROOT)) for path in ([place] if place.is_file() else sorted(place.rglob("*.py")))]


def measure(results: list[Result], given: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(given.jobs) as pool:
        copies: SimpleQueue[CheckoutCopy] = SimpleQueue()
        for number in range(given.jobs):
            copies.put(CheckoutCopy(Path(folder).resolve() / str(number)))

        def taken(work: Any, *args: Any) -> Any:
            copy = copies.get()
            try:
                return work(copy, *args)
            finally:
                copies.put(copy)

        paths = {result.mutant.path for result in results}
        waiting, sound, broken = [result for result in results if result.tests], set[str](), set[str]()
        while waiting:
            for result in pool.map(lambda result: taken(CheckoutCopy.try_out, result, given.seconds), waiting):
                print(f"{result.outcome:<10} {result.mutant.id}  {result.by}", flush=True)
            killers = sorted({result.by for result in results if result.by in result.tests} - sound)
            shares = [killers[number :: given.jobs] for number in range(given.jobs)]
            failed = set().union(*pool.map(lambda share: taken(failing, share, paths), shares))
            sound |= set(killers) - failed
            broken |= failed
            waiting = [result for result in results if result.by in failed]
            for result in waiting:
                result.tests = [test for test in result.tests if test not in broken]
                result.outcome, result.by = "no test", ""
            waiting = [result for result in waiting if result.tests]
        print(f"{len(sound)} tests noticed a mutant; left out, since they fail without one: {sorted(broken)}")


def rows(results: list[Result], rooms: list[str]) -> list[dict[str, Any]]:
    groups = [(room, [result for result in results if result.room == room]) for room in rooms]
    return [row(name, group) for name, group in [*groups, ("all rooms", results)]]


def row(room: str, results: list[Result]) -> dict[str, Any]:
    counts = Counter(result.outcome for result in results)
    tried = len(results) - counts["no test"]
    share = (counts["killed"] + counts["timed out"]) / tried if tried else None
    return {
        "metric": f"mutants noticed: {room}", "ours": share and round(share, 4), "peer": None, "peer_value": None,
        "ratio": None, "goal": None, "met": None, "unit": "share of mutants", "mutants": len(results),
        **{outcome.replace(" ", "_"): counts[outcome] for outcome in OUTCOMES},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rooms", nargs="*", metavar="ROOM")
    parser.add_argument("--contexts", type=Path, default=ROOT / ".coverage")
    parser.add_argument("--times", type=Path, help="pytest's JUnit report")
    parser.add_argument("--mutants", type=int, default=80)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tests", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=[], metavar="ID")
    parser.add_argument("--again", type=Path, metavar="FILE", help="a result of before, whose mutants are taken")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "mutation.json")
    given = parser.parse_args()
    if why := missing_requirement(given):
        print(why)
        sys.exit(3)
    rooms = [str(Path(room)) for room in given.rooms]
    results = sample(rooms, Coverage(given.contexts, given.times), given)
    measure(results, given)
    lines = rows(results, rooms)
    print(f"{'':<44} mutants  killed  survived  timed out  no test  noticed")
    for line in lines:
        share = "-" if line["ours"] is None else f"{line['ours']:.3f}"
        print("{metric:<44} {mutants:>7} {killed:>7} {survived:>9} {timed_out:>10} {no_test:>8}".format(**line), share)
    for result in results:
        if result.outcome == "survived":
            print(f"\nsurvived {len(result.tests)} of {result.covering} tests: {result.mutant.id}\n{result.diff}")
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    given.out.parent.mkdir(parents=True, exist_ok=True)
    each = [asdict(result) | {"id": result.mutant.id} for result in results]
    dumped = [line | machine | {"seed": given.seed} for line in lines]
    dumped[-1]["results"] = each
    given.out.write_text(json.dumps(dumped, indent=2) + "\n")


def missing_requirement(given: argparse.Namespace) -> str:
    """Return why nothing can be measured; empty if everything is available."""
    if not given.rooms:
        return "no room is named: python benchmarks/mutation.py FOLDER..."
    if not given.contexts.is_file():
        return f"there is no {given.contexts}: pytest --cov=tasks --cov-context=test (pip install pytest-cov) makes it"
    try:
        import coverage  # noqa: F401
        from cosmic_ray import plugins  # noqa: F401
    except ImportError as error:
        return f"{error.name} is not installed: pip install cosmic-ray coverage"
    return ""


if __name__ == "__main__":
    main()

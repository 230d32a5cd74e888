"""Command group `hallmark params`: the check of a params file, and the schema of params.yaml."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli import shared
from infra.cli.shared import console
from tasks.core.error_collector import ErrorCollector
from tasks.core.params import params


def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Params file.")],
    governance: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Governance files to check too, and the sources they name.")
    ] = None,
) -> None:
    """Check a params file, and with --governance the governance files as well. All errors are reported together.

    With --governance, the command also says which checks of gates ask for more rows than the parameters keep, or for
    more coverage than they demand.

    Example: hallmark params check params.yaml
    """
    checked = _check_files(file, governance) if governance else params.load_params(file)
    console.print(f"{file}: valid, use case {checked.use_case.name}, risk tier {checked.use_case.risk_tier}")


def schema() -> None:
    """Print the JSON schema of params.yaml.

    Example: hallmark params schema
    """
    shared.print_json(params.Params.model_json_schema())


def _check_files(file: Path, folder: Path) -> params.Params:
    from tasks.policy import governance as rules  # slow: these import libraries for databases and tables
    from tasks.runs.requests import expected_failures, request_checks

    root, mistakes = shared.checkout_root(), ErrorCollector()
    read = request_checks.check_files(
        root, str(file.resolve()), {}, folder, lambda: rules.load_governance(folder, root / ".hallmark"), mistakes
    )
    if read.params and read.governance:
        with mistakes.collect():
            tier = read.governance.policy.tier(read.params.use_case.risk_tier)
            for each in (
                *expected_failures.find_unreachable_row_counts(read.params.data, tier),
                *expected_failures.find_low_coverage_demands(read.params, tier),
                *(expected_failures.find_synthetic_failures(read.sources, tier) if read.sources else ()),
            ):
                if each.waived_by is None:
                    mistakes.add_input_error(str(each))
                else:
                    shared.print_notice(str(each), as_json=False)
    mistakes.raise_errors()
    assert read.params
    return read.params

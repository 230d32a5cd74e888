"""Reference page of the environment variables that Hallmark reads."""

from infra.docs.markdown import markdown_table
from tasks.supervise.settings import COMMAND_VARIABLES, RUNNER_PREFIX, RUNNER_VARIABLES, Variable

HEADER = ("variable", "meaning", "default")
AWS_VARIABLES = Variable(f"{RUNNER_PREFIX}*", "credentials and endpoint of `s3://` locations")
INTRODUCTION = """# Settings

Hallmark reads its settings from environment variables.

## Kept by the runner

The runner keeps these from its start. `hallmark run` and `hallmark up` refuse where one of them differs in their own
environment. They refuse as well where a variable differs that a `location` of the run's sources.yaml names, as in
`${DATA_ROOT}/a.csv`. policy.yaml lists the variables that a location may name, under `location_variables`.
To change a setting, say `hallmark down` and then your command again. Runs in progress go on by themselves.
"""


def render_page() -> str:
    kept = markdown_table(HEADER, map(_row, (*RUNNER_VARIABLES, AWS_VARIABLES)))
    return f"{INTRODUCTION}\n{kept}\n## Read by each command\n\n{markdown_table(HEADER, map(_row, COMMAND_VARIABLES))}"


def _row(variable: Variable) -> tuple[str, str, str]:
    return f"`{variable.name}`", variable.meaning, variable.default

"""Files that an environment other than `local` changes."""

GOVERNANCE = "infra/governance"
PARAMS = "params.yaml"
SOURCES, TESTS, PEOPLE, POLICY = (
    f"{GOVERNANCE}/{name}.yaml" for name in ("sources", "policy_tests", "people", "policy")
)
FILES = (PARAMS, SOURCES, TESTS, PEOPLE, POLICY)
"""Files of a checkout in the order in which they are written. The roles in people.yaml say who takes over in the files
before it, so a repeated command still finds them if the one before was interrupted."""

Texts = dict[str, str]
"""Text by path in the checkout."""

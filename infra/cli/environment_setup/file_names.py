"""Files that an environment other than `local` changes."""

GOVERNANCE = "infra/governance"
PARAMS = "params.yaml"
SOURCES, TESTS, PEOPLE, POLICY = (
    f"{GOVERNANCE}/{name}.yaml" for name in ("sources", "policy_tests", "people", "policy")
)
FILES_IN_WRITE_ORDER = (PARAMS, SOURCES, TESTS, PEOPLE, POLICY)
"""Files of a checkout in the order in which they are written.

The old people.yaml says who holds the role of an owner who leaves. It is replaced after the files that name owners, so
that a repeated command can still read it if the command before was interrupted.
"""

Texts = dict[str, str]
"""Text by path in the checkout."""

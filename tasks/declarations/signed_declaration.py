"""Documents that an owner signs to adopt a source, a use-case card or an evaluation suite."""

from typing import Annotated, Any

from pydantic import Field, model_validator

from tasks.core.documents.document import Document
from tasks.core.files import sha256_bytes
from tasks.core.json_text import canonical_json
from tasks.core.params.params import Params
from tasks.core.params.use_case import UseCase
from tasks.core.params.values import Name, NonEmptyText, Sha256
from tasks.declarations.criteria import AcceptanceCriteria
from tasks.policy.signed_document import DatedDocument, SignedKind
from tasks.sources.expectation_suites import Suites
from tasks.sources.sources import Source, TermsByCategory
from tasks.stages.evaluate.suites.suite import EvaluationSuite

PREDICATE_TYPE = "urn:hallmark:declaration:v1"
ENTRY_KIND = "declaration.signed"


class DeclaredSource(Document):
    """Source in sources.yaml, with the digests of everything else in that file that affects the source's rows."""

    source: Source
    suite: Sha256 | None
    """Digest of the source's Great Expectations suite; null if the source has none."""
    dataset_suite: Sha256 | None
    terms: Sha256
    """Digest of the company's list of words to protect. The words themselves are secret."""
    edition_words: Sha256

    @property
    def subject(self) -> str:
        return f"source/{self.source.id}"

    @property
    def owner(self) -> str:
        return self.source.owner


class DeclaredCard(Document):
    """Use-case card, with the settings by which its metrics are computed."""

    card: UseCase
    bar: AcceptanceCriteria

    @property
    def subject(self) -> str:
        return f"card/{self.card.name}"

    @property
    def owner(self) -> str:
        return self.card.owners.business


class DeclaredSuite(Document):
    """Evaluation suite, a file in infra/governance/evaluations/."""

    suite: Name
    """Name of the suite."""
    version: int
    use_case: Name | None
    """Use case whose own suite it is; null for a suite of every use case."""
    suite_owner: Name
    """Id of the person who adopts the suite."""
    cases: int
    """Number of cases that the suite lists."""
    content: Sha256
    """Digest of the whole suite."""

    @property
    def subject(self) -> str:
        return f"suite/{self.suite}"

    @property
    def owner(self) -> str:
        return self.suite_owner


DeclaredDocument = DeclaredSource | DeclaredCard | DeclaredSuite


class Declaration(DatedDocument):
    """Declaration as an owner signs it: the predicate of an in-toto statement.

    The statement's subject is `source/ID`, `card/NAME` or `suite/NAME`, with the digest of `declared`.
    """

    declared: DeclaredDocument
    owners: Annotated[list[Name], Field(min_length=1)]
    """Ids of all people who have to sign, sorted.

    These are the owner, the previous owner, and the owners of other sources at the same location.
    """
    follows: Sha256 | None
    """Digest of the declaration that this one replaces; null if there was none."""
    environment: Name
    """Environment in which the declaration is valid."""
    person: Name
    """Id of the person who signs."""
    reason: NonEmptyText

    @model_validator(mode="after")
    def _owner_signs(self) -> "Declaration":
        if self.declared.owner not in self.owners or self.owners != sorted(set(self.owners)):
            raise ValueError("owners: sorted, each once, the declared owner among them")
        return self


DECLARATION_KIND = SignedKind(
    PREDICATE_TYPE, Declaration, "a declaration", signer_of=lambda said: said.person,
    subjects_of=lambda said: {said.declared.subject: said.declared.sha256},
)  # fmt: skip


def declare_source(source: Source, suites: Suites, terms: TermsByCategory, edition_words: list[str]) -> DeclaredSource:
    suite = suites.by_source.get(source.id)
    return DeclaredSource(
        source=source,
        suite=_digest(suite.model_dump(mode="json")) if suite else None,
        dataset_suite=_digest(suites.dataset.model_dump(mode="json")) if suites.dataset else None,
        terms=_digest(terms),
        edition_words=_digest(edition_words),
    )


def declare_card(params: Params) -> DeclaredCard:
    return DeclaredCard(card=params.use_case, bar=AcceptanceCriteria.from_params(params))


def declare_suite(suite: EvaluationSuite) -> DeclaredSuite:
    """Return the declaration of a suite. Its digest leaves out defaults, so that a later optional key changes none."""
    return DeclaredSuite(
        suite=suite.name,
        version=suite.version,
        use_case=suite.use_case,
        suite_owner=suite.owner,
        cases=len(suite.cases),
        content=_digest(suite.model_dump(mode="json", exclude_defaults=True)),
    )


def _digest(value: Any) -> str:
    return sha256_bytes(canonical_json(value))

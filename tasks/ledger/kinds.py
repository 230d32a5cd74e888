"""Kinds of entries, with a description. A test compares them with the kinds that the code records and real entries."""

from typing import NamedTuple

DATA_ACCESS_GROUP = "look"


class EntryKind(NamedTuple):
    kind: str
    subject: str
    body: str
    group: str = ""
    """Group of kinds by which `hallmark ledger list --kind` and the console can filter; empty for no group."""


KINDS = (
    EntryKind(
        "governance.proposed", "digest of the adoption",
        "`envelope`: policy and people, signed by the first person",
    ),
    EntryKind("governance.signed", "digest of the adoption", "`envelope`: the same, signed by another person"),
    EntryKind("governance.adopted", "digest of the adoption", "`envelope`: the same with every signature it needed"),
    EntryKind(
        "code.signed", "digest of a tree",
        "`envelope`: somebody signs a version of the code off, or takes that back",
    ),
    EntryKind(
        "declaration.signed", "`source/ID` or `card/NAME`",
        "`envelope`: somebody adopts a source as sources.yaml declares it, or the card of a use case",
    ),
    EntryKind(
        "run.requested", "run",
        "`envelope`: the signed request; `account`, if policy has teams: team, use case and price of a machine hour",
    ),
    EntryKind("deployment.declared", "digest of the file", "`envelope`: somebody puts schedules and triggers in force"),
    EntryKind("schedule.paused", "schedule or trigger", "`envelope`: somebody lets it rest"),
    EntryKind("schedule.resumed", "schedule or trigger", "`envelope`: somebody lets it go on"),
    EntryKind(
        "occasion.taken", "schedule or trigger, and its time or what happened",
        "`name`, `reason`, `run`, `requested_by`, `installation`; `due`: the time of a schedule; `missed`: how many "
        "times before it passed while nothing ran; `contents`: digest of each source that changed; `envelope`: the "
        "signed request; `team`, if policy has teams",
    ),
    EntryKind("occasion.started", "as before", "`run`, `flow_run`: its id in Prefect"),
    EntryKind(
        "occasion.passed_over", "as before",
        "`name`, `reason`, `due`, `missed`, `contents` as before; `why` no run is made of it; of an event that "
        "somebody reported also `requested_by` and `envelope`: the request that they signed; `team`, and `over_quota` "
        "if its quota is the reason",
    ),
    EntryKind(
        "run.resolved", "run",
        "`files`: SHA-256 of parameters and inputs; `sources`: SHA-256 of each opened source; `hallmark`: the "
        "version that began it",
    ),
    EntryKind(
        "run.stage", "run",
        "`stage`; `outputs`: digest of what the stage left; `read`: digest of each source, dataset, model and gate "
        "that it read; `cached`: whether it came from the cache; `seconds`; `envelope`: the "
        "record of it, file by file with SHA-256, signed by the worker's key",
    ),
    EntryKind("run.taken_up", "run", "`installation` and `machine` where the run goes on, if it is another one"),
    EntryKind("evaluation.made", "run", "`sha256` of all figures; `figures` that the success metrics use"),
    EntryKind(
        "run.interrupted", "run",
        "`crashes`: how often a process of the run has died; `goes_on`: whether it goes on by itself",
    ),
    EntryKind("run.ended", "run", "`status`, `commit`, `release`"),
    EntryKind(
        "run.cleaned", "run",
        "`installation` on which the files of the run were removed; `bytes`: their size; `status` of the run",
    ),
    EntryKind(
        "gate.asked", "run",
        "`gate`, `use_case`, `requested_by`, `demo`, `roles`, `days`; `attached`: SHA-256 of the evidence",
    ),
    EntryKind(
        "gate.decision", "SHA-256 of the gate's subject",
        "`envelope`: approve, reject, waive or withdraw, with the reason",
    ),
    EntryKind("gate.reminded", "run", "`gate`; `sha256` of the evidence; `roles`, `deadline`"),
    EntryKind("gate.escalated", "run", "`gate`, `sha256`, `roles`, `deadline`; `to`: the role"),
    EntryKind("gate.closed", "run", "`gate`, `use_case`, `demo`, `sha256`, `state`"),
    EntryKind("source.withdrawn", "source", "`envelope`: its owner withdraws it"),
    EntryKind("source.restored", "source", "`envelope`: its owner gives it again"),
    EntryKind("erasure.requested", "erasure", "`envelope`: somebody verified who asks to be forgotten"),
    EntryKind("erasure.decided", "erasure", "`envelope`: somebody decides about a kind of places"),
    EntryKind(
        "erasure.step", "erasure",
        "`step`; `verb` that was decided; `count` of items that are gone; the mark of releases has `releases`: what "
        "becomes of each",
    ),
    EntryKind("erasure.certified", "erasure", "`envelope`: what was erased, and what is kept and why"),
    EntryKind("source.read", "row or record", "`person`, `reason`; `sha256` of the source", DATA_ACCESS_GROUP),
    EntryKind("vault.read", "record", "`person`, `reason`, `tokens`", DATA_ACCESS_GROUP),
    EntryKind("person.sought", "`person`", "`person`, `reason`, `tokens`", DATA_ACCESS_GROUP),
    EntryKind(
        "labels.started", "round of labels",
        "`person` who leads it; `sha256` of the round; `guideline` with its version and digest; `rows`, `gold`, "
        "`annotators`: how many; `overlap`; `sources`: SHA-256 of each source of the rows; of an expert review also "
        "`review_of`: the run whose answers are compared",
    ),
    EntryKind(
        "labels.exported", "round of labels",
        "`person` who wrote a task file; `form`; `sha256` of a document that says whose task file it is",
    ),
    EntryKind("labels.imported", "round of labels", "`sha256` of a document with an annotator's labels"),
    EntryKind("labels.adjudicated", "round of labels", "`sha256` of a document with an adjudicator's labels"),
    EntryKind(
        "labels.finished", "round of labels",
        "`person`, `method`; `rows`: how many; `alpha` of the annotators; `sha256` of the result",
    ),
    EntryKind("review.signed", "run", "`envelope`: the result of an expert review, signed by who led it"),
    EntryKind(
        "promotion.intended", "model",
        "`name`, `version`, `environment`, `sequence`, `previous`, `run`, `commit`, `installation`",
    ),
    EntryKind(
        "promotion.made", "model",
        "`envelope`: the statement; `intent`: its entry; of a rollback also `order` and `joined`: the signed orders",
    ),
    EntryKind("promotion.undone", "model", "`intent`, `reason`, `named`"),
    EntryKind("promotion.registered", "model", "`release`; `source`: where its files lie, as MLflow has it"),
    EntryKind("promotion.mirrored", "model", "`statement`, `sequence`"),
    EntryKind("rollback.ordered", "model", "`envelope`: an order that other people have to join"),
    EntryKind("admission.admitted", "model", "`server`, `statement`, `release`, `sha256`, `ledger_away`"),
    EntryKind("admission.refused", "model", "`server`, `statement`, `reason`"),
    EntryKind(
        "admission.rolled_back", "model",
        "`server`, `release`, `tier`, `sequence`; `statement`: the promotion that the ledger lacks; `found`: the "
        "newest that it has",
    ),
    EntryKind(
        "run.reproduced", "run", "as `release.reproduced`, of a run whose package is made",
    ),
    EntryKind(
        "release.reproduced", "release",
        "`release`, `sha256`, `run`, `commit`, `verdict`, `stages`, `notes`, `machine`, `records`",
    ),
    EntryKind(
        "release.exported", "release",
        "`release`, `sha256`, `person`; `form`, `for_hub`, `dtype`; `answers`: how many rows the export was asked, and "
        "how many answers differ; `not_tried`: tools that nobody tried; `statement`: digest of the signed statement",
    ),
    EntryKind(
        "incident.opened", "incident",
        "`envelope`: what happened and which role owns it; of an emergency `order`",
    ),
    EntryKind("incident.escalated", "incident", "`envelope`"),
    EntryKind("incident.closed", "incident", "`envelope`: who closed it and why; `countersigned` by the gate's key"),
)  # fmt: skip


def kinds_in_group(name: str) -> tuple[str, ...]:
    return tuple(kind.kind for kind in KINDS if name and kind.group == name)

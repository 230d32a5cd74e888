"""Templates of prompt and response: what they refuse, what they render, and which records they quarantine."""

import time
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from hallmark.models import AdmittedModel
from tasks.core.errors import InputError
from tasks.core.params.citation_form import compile_form
from tasks.core.params.prompts import Prompt
from tasks.core.payload.inference_config import Decoding, InferenceSettings
from tasks.core.records.prompts import split_context_and_target
from tasks.runs.requests.template_checks import find_impossible_coverage, find_template_faults
from tasks.serve.chat import render_turns
from tasks.sources.sources import Sources
from tasks.stages.data.clean import clean
from tests.stages.data.build import Run, params, record, source

CITES = {"form": "text", "citation": {"form": "[DOC-{digits} §{word}]"}}
JSON = {"form": "json", "fields": {"intent": "text", "urgent": "boolean"}, "optional_fields": {"score": "number"}}
LABEL = {"form": "label", "labels": ["cards", "loans"]}


def prompt(**fields: Any) -> Prompt:
    return Prompt.model_validate({"version": 1, **fields})


@pytest.mark.parametrize(
    ("response", "target", "rule"),
    [
        (CITES, "Ask for a new card [DOC-12 §3a].", None),
        (CITES, "Ask for a new card [DOC-12 §].", "missing_citation"),
        (CITES, "Ask for a new card [DOC-" + "1" * 33 + " §3].", "missing_citation"),
        (LABEL, "cards", None),
        (LABEL, "Cards", "unknown_response_label"),
        (JSON, '{"intent": "a", "urgent": true}', None),
        (JSON, '{"urgent": false, "intent": "", "score": 1}', None),
        (JSON, '{"intent": "a", "urgent": true', "unparsable_response"),
        (JSON, '["intent"]', "unparsable_response"),
        (JSON, '{"intent": "a"}', "missing_response_field"),
        (JSON, '{"intent": "a", "urgent": true, "who": "Ada Lovelace"}', "unknown_response_field"),
        (JSON, '{"intent": "a", "urgent": 1}', "wrong_response_type"),
        (JSON, '{"intent": "a", "urgent": true, "score": true}', "wrong_response_type"),
        (JSON, '{"intent": null, "urgent": true}', "wrong_response_type"),
        (JSON | {"citation": {"form": "§{digits}"}}, r'{"intent": "\u00a712", "urgent": true}', None),
        (JSON | {"citation": {"form": "§{digits}"}}, '{"intent": "§", "urgent": true}', "missing_citation"),
        (JSON | {"citation": {"form": '"{digits}"'}}, r'{"intent": "in \"12\"", "urgent": true}', None),
        (JSON | {"citation": {"form": "intent"}}, '{"intent": "a", "urgent": true}', "missing_citation"),
    ],
)
def test_targets_against_the_response_of_their_task(
    run: Run, response: dict[str, Any], target: str, rule: str | None
) -> None:
    how = params().model_copy(update={"prompts": {"triage": prompt(response=response), "plain": Prompt()}})
    run.put("ingest", [record("ask", "free", number=1, task="plain"), record("ask", target, number=2)])
    clean.run(clean.Params(data=how.data, evaluation=how.evaluation, prompts=how.prompts), run.layout)
    removed = run.records_of("clean", "quarantine")
    assert [(item["row"], item["rule"]) for item in removed] == ([(2, rule)] if rule else [])
    assert not any(word in item["reason"] for item in removed for word in ("Ada", "who", "Ask", "Cards"))


def test_only_the_kinds_that_cite_must_and_a_template_needs_its_values(run: Run) -> None:
    cited = prompt(response=CITES, template="{department}: {prompt}")
    how = params().model_copy(update={"prompts": {"triage": cited}})
    rows = [("answer", "cards"), ("refuse", "cards"), ("refuse", "")]
    run.put("ingest", [record("ask", "no", n, kind=kind, department=of) for n, (kind, of) in enumerate(rows)])
    clean.run(clean.Params(data=how.data, evaluation=how.evaluation, prompts=how.prompts), run.layout)
    assert run.rules_of("clean") == {1: "missing_citation", 3: "missing_template_value"}


def test_a_template_renders_the_last_turn_and_takes_braces_of_records_as_text() -> None:
    turns = [("user", "first"), ("assistant", "yes?"), ("user", "{department} {0.__class__} }{"), ("assistant", "ok")]
    row = record("", department="cards", messages=[{"role": role, "content": text} for role, text in turns])
    made = prompt(system="S", template="{{{department}}} {prompt} ({language})")
    rendered, target = split_context_and_target(row, {"triage": made})
    assert [turn["content"] for turn in rendered] == [
        "S",
        "first",
        "yes?",
        "{cards} {department} {0.__class__} }{ (en)",
    ]
    assert target == "ok" and row["messages"][2]["content"].startswith("{department}"), "the record stays as it is"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"template": "{prompt} {owner}"}, "no field 'owner'; expected prompt, language, department, geography"),
        ({"template": "{prompt.__class__}"}, "no field"),
        ({"template": "{prompt!r:>9}"}, "no field"),
        ({"template": "Answer briefly."}, "expected {prompt} once, got it 0 times"),
        ({"template": "{prompt} }"}, "a single }"),
        ({"template": "{prompt}", "version": None}, "give them a version"),
        ({"template": "{prompt}", "text_window": 64}, "a text has no turns"),
        ({"response": {"form": "json"}}, "form json needs fields"),
        ({"response": {"form": "label", "labels": ["cards "]}}, "without spaces around it"),
        ({"response": LABEL | {"fields": {"a": "text"}}}, "form label has no fields"),
        ({"response": JSON | {"optional_fields": {"intent": "text"}}}, "'intent' is both"),
        ({"response": {"form": "text", "citation": {"form": "[{digit}]"}}}, "no placeholder 'digit'"),
        (
            {"response": {"form": "text", "citation": {"form": "[{digits}{word}]"}}},
            "literal text between {digits} and {word}",
        ),
        ({"response": {"form": "text", "citation": {"form": "[{word}a]"}}}, "nothing could match"),
        ({"response": {"form": "text", "citation": {"form": "{digits}"}}}, "begins with literal text"),
    ],
)
def test_a_template_that_cannot_be_meant_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        prompt(**fields)
    assert words in str(refused.value)


def test_a_form_is_matched_in_linear_time_on_hostile_text() -> None:
    form, text = compile_form("[" + "-".join(["{word}"] * 8) + "]"), "[" + "a-" * 100_000 + "[a" * 100_000
    began = time.process_time()
    assert not form.search(text)
    assert time.process_time() - began < 1


def test_a_prompt_without_templates_has_the_digest_that_it_had() -> None:
    assert Prompt(system="s").model_dump(mode="json") == {"system": "s", "text_window": None}


def test_what_no_record_of_a_source_can_have_is_said_before_the_run() -> None:
    mapped = {"prompt": "text", "response": {"intent": "label", "queue": "queue"}}
    asked = prompt(response=JSON, template="{geography} {language} {prompt}")
    given = params().model_copy(update={"prompts": {"triage": asked}})
    faults = list(find_template_faults(given, Sources(sources=[source("a.csv", mapping=mapped)])))
    assert [fault.partition("; ")[0] for fault in faults] == [
        "source src: prompts.triage of params.yaml has a template with {geography}, for which the source has no value",
        "source src: prompts.triage of params.yaml has a response with the fields intent, urgent, and "
        "`mapping.response` has no urgent",
        "source src: prompts.triage of params.yaml has a response with the fields intent, urgent, and "
        "`mapping.response` has too queue",
    ]
    assert not list(find_template_faults(params(), Sources(sources=[source("a.csv", mapping=mapped)])))


def test_coverage_of_a_kind_that_no_source_has_is_said_before_the_run() -> None:
    asked = params(coverage=[{"task": "triage", "kind": "refuse", "at_least": 0.1}])
    plain, constants = source("a.csv"), {"task": "triage", "kind": "refuse"}
    (said,) = find_impossible_coverage(asked, Sources(sources=[plain]))
    assert "demands refuse of task triage, and none of its sources (src) can have it" in said
    refusing = source("b.csv", id="b", constants=constants)
    assert not list(find_impossible_coverage(asked, Sources(sources=[plain, refusing])))


def test_a_release_says_its_templates_and_is_asked_with_their_fields() -> None:
    plain = InferenceSettings(
        system={"triage": ""}, decoding=Decoding(max_new_tokens=1, eos_token_id=[0]), dtype="float32"
    )
    assert "template" not in plain.model_dump(mode="json"), "asking.json of a release without templates stays as it was"
    made = plain.model_copy(update={"template": {"triage": "{department}: {prompt}"}})
    assert InferenceSettings.model_validate_json(made.model_dump_json()) == made
    model = AdmittedModel(SimpleNamespace(inference_settings=made, label="triage-1"))  # type: ignore[arg-type]
    for fields in (None, {"language": "en"}, {"department": "cards", "language": "en"}):
        with pytest.raises(InputError, match="the template of task 'triage' has department, got"):
            model.ask("lost my card", fields=fields)
    (asked,) = render_turns(made, [{"role": "user", "content": "{lost}"}], "triage", {"department": "cards"})[-1:]
    assert asked == {"role": "user", "content": "cards: {lost}"}

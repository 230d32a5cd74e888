"""Evaluation suites: versioned cases beside the test rows, how models are asked them, and how answers are judged.

The files in reading order:

suite.py        evaluation suite, a file in infra/governance/evaluations/, and the suites of a run
variants.py     variants of a text, such as typing errors or an appended instruction
transforms.py   table of the transforms of texts
judges/         judges of answers, one file each; table.py lists them
listed_cases.py rendering of the cases that a suite lists
cases.py        cases of a run: those that its suites list, and those that they derive from test rows
label_phrases.py  search for phrases of training rows that decide a label alone
probe.py        stage: answers of one model to the cases
kept_answers.py answers that outlive the run, so that a model is asked only what is new
suite_verdicts.py  stage: judgement of all answers, results by suite, and facts for gates
case_verdicts.py   verdict about each model's answer to each case
statistics.py   pass rates with intervals, and paired comparisons of models
groups.py       lowest pass rate of a group of cases, and largest difference between two
refusal_rates.py   rates of needless and missing refusals
outcome_comparison.py  paired comparison of two models on the same cases
owasp.py        entries of the OWASP Top 10 for LLM applications
results_schema.py  schema of suites.json
"""

"""Sample use case: synthetic messages of a bank's customers, with the triage that an expert would give.

generate.py   command that writes the sources: python -m examples.support_triage.generate --seed 7 --out DIR
phrases/      words of the messages: catalogue.yaml (intents and their triage), en.yaml, de.yaml;
              personal/ has sentences with personal data or secrets
grammar.py    expansion of phrases with alternatives into texts
numbers.py    numbers and keys with valid check digits, from ranges that are not assigned
marks.py      marks around protected values in a text, which survive changes of the text
personal.py   sentences with protected values, added to messages
cases.py      intent, twist and language of a message, which decide its triage
compose.py    a case as a ticket, a chat or an e-mail
noise.py       typing errors, case, emoji and HTML entities
defects.py    kinds of defective rows
planting.py   insertion of defective rows among sound ones, and the table of truth about them
sources.py    the three files and their formats
data/         output of seed 7, committed and declared in infra/governance/sources.yaml. truth.csv has each planted
              defect and its row; tests use another seed and other sentences (tests/examples/unseen)
"""

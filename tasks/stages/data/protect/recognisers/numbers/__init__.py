"""Identifiers with a fixed format, one kind per file. Read iban.py first: the others have the same structure.

iban.py              international bank account numbers
card.py              payment cards
email.py             e-mail addresses
phone.py             telephone numbers
network.py           IP and hardware addresses
birth_date.py        dates of birth
germany.py           German tax, insurance and identity numbers
uk.py                British insurance, NHS and driving licence numbers, sort codes
us.py                US Social Security, taxpayer and Medicare numbers
countries.py         identity numbers of ten further countries
uuids.py             identifiers of requests and records, which are no numbers of a person
labelled_numbers.py  other numbers, recognised by the label before them
check_digits.py      verification of check digits
"""

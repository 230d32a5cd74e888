"""Postal addresses on one line or several, complete or in part.

address.py   the recogniser: a street with the town after it, or a part of an address alone
english.py   streets of English-speaking countries
german.py    streets and towns of Germany, Austria and Switzerland
abroad.py    streets of France, Spain, Italy, Poland, the Netherlands and India
lower_case.py  streets and towns in lower case
towns.py     towns and postal codes of English-speaking countries
patterns.py  capitalised words and separators in an address
"""

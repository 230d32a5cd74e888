"""Statements that people sign in their browser, one file for each: the request, the draft, and recording it signed.

signed.py     fields of requests and responses that all statements share
decision.py   a decision at a gate
closing.py    the closing of an incident
order.py      an order to roll back to an earlier release
switch.py     the pausing or resuming of a schedule or trigger

Each is a row of SIGNINGS in ../actions.py.
"""

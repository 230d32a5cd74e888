"""Statements that people sign in their browser, with one file for the request, draft and recording of each kind.

messages.py          fields of requests and responses that all statements share
gate_decision.py     a decision at a gate
incident_closing.py  the closing of an incident
rollback_order.py    an order to roll back to an earlier release
schedule_switch.py   the pausing or resuming of a schedule or trigger

The table of statements in ../actions.py has a row for each kind.
"""

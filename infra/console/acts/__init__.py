"""What a person signs in their browser, one file each: what the page asks for, what is drawn up, what is taken.

signed.py     what all have in common: what goes to the browser and what comes back
decision.py   a decision at a gate
closing.py    the end of an incident
order.py      an earlier release is champion again
switch.py     a schedule or trigger rests, or goes on

Each is a row of ../actions.py.
"""

"""Command group `hallmark gates`: open gates, their evidence, and decisions.

looking.py        commands list and show
page.py           evidence of a gate, as printed for the person who decides
deciding.py       commands approve, reject, waive and withdraw
gate_question.py  the gate that a command is about, its newest evidence and its governance
"""

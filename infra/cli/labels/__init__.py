"""Command group `hallmark labels`: rounds of expert labels. One file for each command.

round_context.py  code that the commands share: the round, the person who acts, forms of task files
"""

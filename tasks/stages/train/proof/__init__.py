"""Verification of a training while it runs: each check computes for itself what the engine claims.

Stage `tokenise` verifies the tokens of every row (rows/proof.py).

modules.py   trained modules: those that the parameters name, and no others
layout.py    first forward pass: its loss is that of single rows, and packed rows are separate
state.py     checkpoints: the state that is loaded is the state that was written
step.py      every step: no row is left out; first step: every weight learns, from the gradient of the loss
"""

"""Verification of a training while it runs: each check computes for itself what the engine claims.

Stage `tokenise` verifies the tokens of every row (rows/row_verification.py).

trained_modules.py  trained modules: those that the parameters name, and no others
forward_pass.py     first forward pass: its loss is that of single rows, and packed rows are separate
engine_state.py     checkpoints: the state that is loaded is the state that was written
optimizer_step.py   every step: no row is left out; first step: every weight learns, from the gradient of the loss
"""

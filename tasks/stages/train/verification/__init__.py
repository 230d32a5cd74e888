"""Verification of a training run while it runs. Each check independently recomputes a result of the engine.

Stage `tokenise` verifies the tokens of every row (rows/row_verification.py).

trained_modules.py  trained modules: those that the parameters name, and no others
forward_pass.py     first forward pass: the loss equals that of single rows, and packed rows are separate
engine_state.py     checkpoints: the engine's state after loading equals the state before writing
optimizer_step.py   every optimizer step: no row is left out; first step: every weight learns from the loss's gradient
"""

"""What is shown to be right before a training counts: each check works out for itself what the engine claims.
The tokens of every row are proven by stage `tokenise` (rows/proof.py).

modules.py   what is trained: the modules that parameters name, and nothing else
layout.py    the first pass: rows alone give its loss, and packed rows do not see each other
state.py     a checkpoint: what was written is what is loaded
step.py      each step: no row left out; the first step: every weight learns, from the gradient of the loss as stated
"""

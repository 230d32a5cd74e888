"""The models that answer: one in the stage's own process, or several on workers of Ray's.

team.py         what is asked of them
answerer.py     a model with its weights, ready to answer
alone.py        one, in the stage's own process
spread.py       several, on this machine or on a cluster's
vllm_engine.py  vLLM in place of our own decoding
"""

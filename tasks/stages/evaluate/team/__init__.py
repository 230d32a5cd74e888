"""Execution of a model: in the stage's own process, or on several workers of Ray.

team.py         interface for the code that asks a model
answerer.py     model with its weights in one process
alone.py        team of one model, in the stage's own process
spread.py       team of several workers, on this machine or on a cluster
vllm_engine.py  vLLM as an alternative to our own decoding
"""

"""Execution of a model: in the stage's own process, or on several workers of Ray.

executor.py       interface for the code that asks a model
model_process.py  model with its weights in one process
in_process.py     team of one model, in the stage's own process
ray_workers.py    team of several workers, on this machine or on a cluster
vllm_engine.py    vLLM as an alternative to our own decoding
"""

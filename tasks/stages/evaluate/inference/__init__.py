"""Model execution: in the stage's own process, or on several Ray workers.

executor.py       interface for running a model
model_process.py  model with its weights in one process
in_process.py     executor in the stage's own process
target_loss.py    loss of a model on targets that follow prompts, in batches
ray_workers.py    executor on several Ray workers, on this machine or on a cluster
vllm_engine.py    vLLM as an alternative to Hallmark's own decoding
"""

"""Documents in the payload of a release about the release itself, which stage `package` writes.

manifest.py          payload/manifest.json: digests of everything that the release was made from
inference_config.py  payload/asking.json: system prompts, decoding and precision that the release was evaluated with
"""

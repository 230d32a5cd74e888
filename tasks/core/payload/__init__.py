"""Documents about a release that stage `package` writes to the release's payload.

manifest.py          payload/manifest.json: digests of everything that the release was built from
inference_config.py  payload/asking.json: system prompts, decoding and precision with which the release was evaluated
"""

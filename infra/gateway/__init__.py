"""Gateway: the release in production, over an API that clients of OpenAI use.

The gateway uses the prompts, decoding and precision of the release's evaluation. A parameter that would change how the
release answers is refused. No text of a request or an answer is logged or counted.

caller_keys.py       keys of callers: stored as digests, several for one caller, so that a key can be rotated
chat_request.py      body of a request, and its checks
completion.py        response bodies: one answer, or its chunks
answering.py         one request to the engine: its events, and its end if the client hangs up
gateway.py           state of the gateway: the release that answers, keys and limits of callers, metrics
chat_completions.py  one request for a completion: its answer, whole or as a stream
metrics.py           metrics for Prometheus
api_errors.py        error responses in the form that clients of OpenAI expect
app.py               routes
server.py            start, lookup and stop of the gateway of a checkout
serve.py             entry point of the gateway's process
"""

"""Gateway: the release in production, over an API that clients of OpenAI use.

The gateway answers as the release was evaluated: with its prompts, greedily, in its precision. What a client asks for
otherwise is refused, not ignored. No text of a request or an answer is logged or counted.

caller_keys.py   keys of callers: stored as digests, several for one caller, so that they change without a gap
chat_request.py  body of a request, and its checks
completion.py    response bodies: one answer, or its chunks
answering.py     one request to the engine: its events, and its end if the client hangs up
metrics.py       metrics for Prometheus
api_errors.py    error responses in the form that clients of OpenAI expect
app.py           routes
server.py        start, lookup and stop of the gateway of a checkout
serve.py         entry point of the gateway's process
"""

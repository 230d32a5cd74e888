"""Serving of the release in production, loaded and asked as it was evaluated.

    chat.py              chat turns of a request, with the system prompt and template of the release
    loaded_release.py    an admitted release with its weights in memory, and the tokens of a request's prompt
    engine.py            answers many requests at once: new ones join the batch that is being answered
    follower.py          the release that the newest promotion statement names, loaded beside the one that answers

A release is loaded through `tasks.registry.admit.admission` alone. infra/gateway/ serves it over HTTP.
"""

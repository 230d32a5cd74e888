"""Limits that the console and the gateway share.

connections.py  settings of uvicorn, and time limits of connections
rate_limits.py  limits on requests per person, and the queue of sign-ins
"""

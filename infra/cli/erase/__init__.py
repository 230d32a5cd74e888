"""Command group `hallmark erase`: erasure of a person. One file for each command, or for two that belong together.

days.py  days as arguments of commands
"""

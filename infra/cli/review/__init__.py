"""Command group `hallmark review`: expert reviews of a run's answers. One file for each command.

Task files of a review are exported, imported and adjudicated by `hallmark labels`.
"""

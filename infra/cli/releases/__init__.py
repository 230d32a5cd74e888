"""Command group `hallmark releases`: releases, their verification, and rollbacks. One file for one or two commands."""

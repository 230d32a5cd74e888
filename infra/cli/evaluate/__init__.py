"""Command group `hallmark evaluate`: wrong answers, and comparison of evaluations. One file for one command."""

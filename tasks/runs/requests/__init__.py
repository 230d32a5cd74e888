"""Requests for runs: what is asked, what it resolves to, and the checks before a run starts.

signed_requests.py    signed run requests, and the check that a run uses nothing unsigned
request_checks.py     checks of a request before its run starts; all mistakes are reported together
quick_checks.py       quick checks of sources, prompts and expectations
expected_failures.py  standing checks of gates that will fail whatever the run makes
earlier_runs.py       earlier runs, whose outputs an estimate or advice may go by
training_estimate.py  estimate of what a training needs
source_resolution.py  resolution of sources to the digests of their content
resolution.py         resolution of a run: everything that stages read besides code and parameters
commit_files.py       files as a commit holds them, without the checkout's uncommitted edits
"""

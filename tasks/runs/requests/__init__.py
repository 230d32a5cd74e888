"""Requests for runs: their content, their resolution, and the checks before a run starts.

signed_requests.py    signed run requests, and the check that a run uses nothing unsigned
request_checks.py     checks of a request before its run starts; all errors are reported together
quick_checks.py       quick checks of sources, prompts and expectations
template_checks.py    checks of templates and required coverage against the sources
expected_failures.py  gate checks that will fail regardless of the run's results
synthetic_limits.py   limits on synthetic records that a run will exceed, and sources of which none is tested
earlier_runs.py       earlier runs whose outputs an estimate can use
training_estimate.py  estimate of the resources that a training run needs
source_resolution.py  resolution of sources to the digests of their content
resolution.py         resolution of a run: everything that stages read in addition to code and parameters
commit_files.py       files as they are in a commit, without the checkout's uncommitted edits
"""

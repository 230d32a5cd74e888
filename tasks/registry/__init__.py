"""From a run's package to a release that anybody can check.

release/  a release's form: payload, attestations, promotion statements
verify/   a release checked from its folder and one fingerprint
promote/  from a run's package to a release in production, and back
admit/    the only way to a model for serving
history/  what was in production when, and what changed
"""

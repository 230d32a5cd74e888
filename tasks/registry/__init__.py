"""Registry of releases: promotion, verification, admission to serving, and history.

release/  format of a release: payload, attestations and promotion statements
verify/   verification of a release from its folder and the root key's fingerprint
promote/  promotion of a run's package to production, and rollback
admit/    admission of a release to serving
history/  history of production, and comparison of releases
export/   export of the release in production to the formats of other tools
"""

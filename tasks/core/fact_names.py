"""Names of a stage's metrics and measurements, as policies use them, for example `evaluate.exact_match`."""


def artefact_prefix(folder: str) -> str:
    """Return the beginning of the names of metrics in an output folder, such as `predict/base`."""
    return folder.replace("/", ".")


def measurement_prefix(stage: str, folder: str) -> str:
    """Return the prefix of the names of measurements in an output folder of a stage.

    Most policies are about the candidate's measurements, so their prefix is the short `measured.predict`.
    """
    return f"measured.{stage if folder == 'predict/candidate' else artefact_prefix(folder)}"

"""Source of an export: the admitted release with its base model, parameters and settings."""

from dataclasses import dataclass
from pathlib import Path

from tasks.core.params import params as parameters
from tasks.core.params.params import Params
from tasks.core.payload import manifest
from tasks.core.payload.inference_config import InferenceSettings
from tasks.core.payload.manifest import Manifest
from tasks.registry.admit.admission import AdmittedRelease
from tasks.registry.promote.releases import Release
from tasks.registry.release import bundle


@dataclass(frozen=True)
class ExportSource:
    admitted: AdmittedRelease
    release: Release
    manifest: Manifest
    params: Params
    """Parameters of the run that made the release."""

    @property
    def base(self) -> Path | None:
        """Folder of the adapter's base model; None for a whole model."""
        return self.admitted.base

    @property
    def settings(self) -> InferenceSettings:
        return self.admitted.inference_settings

    @property
    def base_name(self) -> str:
        """Name of the base model: its id on the hub, or what params.yaml calls it otherwise."""
        return self.params.base_model.hub or self.manifest.base_model_origin.partition(" ")[2]


def read_source(admitted: AdmittedRelease, release: Release) -> ExportSource:
    payload = Path(release.bundle) / bundle.PAYLOAD
    return ExportSource(
        admitted, release, manifest.read_manifest(payload), parameters.load_params(payload / "params.yaml")
    )

"""Access of stage `ingest` to the sources of a run, and the locations where no source may be."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tasks.core.errors import InputError
from tasks.core.layout import Layout
from tasks.core.steps.kinds import SQL_KIND
from tasks.sources import resolved_sources, source_places, sources
from tasks.sources.sources import Source
from tasks.supervise import sandbox, settings
from tasks.supervise.open_files import OpenFiles

FORBIDDEN_SYSTEM_FOLDERS = ("/proc", "/sys", "/dev", "/run", "/etc", "/boot")
"""System folders in which a source's data is not allowed. Some of them hold keys and passwords."""


def source_paths(layout: Layout, open_files: OpenFiles) -> Iterator[Path]:
    for item in resolved_sources.load_resolved(layout.sources_path).sources:
        for file in source_places.find_files(item.source):
            path = layout.resolve_path(str(Path(file).expanduser()))
            require_allowed_location(f"source {item.source.id}", open_files.real_path(path), layout)
            yield path
        for detector in item.source.detectors:
            path = layout.resolve_path(str(Path(detector.path).expanduser()))
            where = f"source {item.source.id}: detector {detector.name}"
            require_allowed_location(where, open_files.real_path(path), layout)
            yield path


def require_allowed_location(subject: str, path: Path, layout: Layout) -> None:
    """Verify that a data file is not in a location for keys, settings or state.

    Such locations are state folders, hidden folders, system folders and paths that a setting names. Without this check,
    the author of sources.yaml could make a run read keys or publish their digests.

    Args:
        subject: Name of the data in the error message, such as `source messages`.
        path: Path of the data.
        layout: Layout of the run's worktree or of the checkout.

    Raises:
        InputError: The data is in such a location, or is a folder that contains one.
    """
    where, checkout = Path(os.path.realpath(path)), layout.state.parent.resolve()
    named = [place for place in settings.configured_paths(os.environ) if not checkout.is_relative_to(place)]
    forbidden = (*map(Path, FORBIDDEN_SYSTEM_FOLDERS), *named)
    apart = any(where.is_relative_to(place) or place.is_relative_to(where) for place in forbidden)
    places = [
        layout.root.resolve(),
        checkout,
        *([home.resolve()] if (home := sandbox.home_folder()) else []),
    ]
    within = next((where.relative_to(place) for place in places if where.is_relative_to(place)), where)
    if apart or any(part.startswith(".") for part in within.parts):
        raise InputError(
            f"{subject}: its location is or lies in something hidden, such as {layout.state.name}, .git or .ssh, in "
            f"{', '.join(FORBIDDEN_SYSTEM_FOLDERS)}, or in a place that a setting such as HALLMARK_KEY names, "
            "where no data is; correct its location in sources.yaml"
        )


def has_remote_sources(layout: Layout, _: Mapping[str, str]) -> bool:
    return any(source_places.find_local_path(source) is None for source in _resolved_sources(layout))


def has_detector_on_gpu(layout: Layout) -> bool:
    return any(detector.device == "gpu" for source in _resolved_sources(layout) for detector in source.detectors)


def database_ports(layout: Layout) -> Iterator[int]:
    for source in _resolved_sources(layout):
        if source.kind == SQL_KIND and source_places.find_local_path(source) is None:
            yield source_places.parse_database_url(source).port or source_places.POSTGRES_PORT


def location_variables(layout: Layout) -> Iterable[str]:
    return sources.find_location_variables(_resolved_sources(layout))


def _resolved_sources(layout: Layout) -> list[Source]:
    return [item.source for item in resolved_sources.load_resolved(layout.sources_path).sources]

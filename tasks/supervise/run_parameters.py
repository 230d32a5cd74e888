"""Sections of params.yaml as the supervisor reads them, before they are validated."""

from collections.abc import Mapping

from tasks.core.documents import config
from tasks.core.errors import InputError
from tasks.core.layout import Layout


def parameter_section(layout: Layout, name: str) -> Mapping[str, object]:
    section = config.read_yaml(layout.params_path).get(name)
    if not isinstance(section, Mapping):
        raise InputError(f"{layout.params_path}: expected a section {name}")
    return section

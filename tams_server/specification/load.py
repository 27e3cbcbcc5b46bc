"""Loads the specification: the document of an API folder with the overlay applied, and its operations."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tams_server.specification.document import Json, load_document
from tams_server.specification.operations import Operation, read_operations, read_webhooks
from tams_server.specification.overlay import apply_overlay
from tams_server.specification.validators import Validator


@dataclass(frozen=True, slots=True)
class Specification:
    """The API that the server serves.

    document: self-contained OpenAPI 3.1, as served at /openapi.json. webhooks: validator of the message, by event type.
    """

    document: Json
    operations: tuple[Operation, ...]
    webhooks: Mapping[str, Validator]

    @property
    def api_version(self) -> str:
        """The version of the TAMS API that the document describes, such as "8.2"."""
        return str(self.document["info"]["version"])


def load_specification(api_folder: Path, overlay_file: Path) -> Specification:
    """Read `api_folder`, apply the overlay and compile all validators. Raises SpecificationError."""
    document = load_document(api_folder)
    apply_overlay(document, overlay_file)
    return Specification(document, tuple(read_operations(document)), read_webhooks(document))

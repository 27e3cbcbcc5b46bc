"""The specification in force: the document of an API folder with the overlay applied, and its operations."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tams_server.specification.document import Json, load_document
from tams_server.specification.operations import Operation, read_operations, read_webhooks
from tams_server.specification.overlay import apply_overlay
from tams_server.specification.validators import Validator


@dataclass(frozen=True, slots=True)
class Specification:
    """document: OpenAPI 3.1, self-contained, as served at /openapi.json. webhooks: the validator of each event type's
    message."""

    document: Json
    operations: tuple[Operation, ...]
    webhooks: Mapping[str, Validator]


def load_specification(api_folder: Path, overlay_file: Path) -> Specification:
    """Read `api_folder`, apply the overlay and compile every validator. Raises SpecificationError."""
    document = load_document(api_folder)
    apply_overlay(document, overlay_file)
    return Specification(document, tuple(read_operations(document)), read_webhooks(document))

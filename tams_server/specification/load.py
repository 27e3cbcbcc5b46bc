"""The specification in force: the document of an API folder with the overlay applied, and its operations."""

from dataclasses import dataclass
from pathlib import Path

from tams_server.specification.document import Json, load_document
from tams_server.specification.operations import Operation, read_operations
from tams_server.specification.overlay import apply_overlay


@dataclass(frozen=True, slots=True)
class Specification:
    """document: OpenAPI 3.1, self-contained, as served at /openapi.json."""

    document: Json
    operations: tuple[Operation, ...]


def load_specification(api_folder: Path, overlay_file: Path) -> Specification:
    """Read `api_folder`, apply the overlay and compile every validator. Raises SpecificationError."""
    document = load_document(api_folder)
    apply_overlay(document, overlay_file)
    return Specification(document, tuple(read_operations(document)))

"""Applies an OpenAPI Overlay 1.0 document: the server's additions and corrections to the published API."""

from pathlib import Path
from typing import Any

import jsonpath
import yaml

from tams_server.specification.document import Json, SpecificationError


def apply_overlay(document: Json, overlay_file: Path) -> None:
    """Apply the actions of `overlay_file`, in order, to `document` in place.

    Raises SpecificationError, also for an action whose target selects nothing: a correction or a scope would be lost
    silently.
    """
    try:
        overlay = yaml.load(overlay_file.read_text(encoding="utf-8"), yaml.CSafeLoader)
    except (OSError, yaml.YAMLError) as error:
        raise SpecificationError(f"{overlay_file}: {error}") from error
    if not isinstance(overlay, dict) or not str(overlay.get("overlay", "")).startswith("1.0"):
        raise SpecificationError(f"{overlay_file}: not an OpenAPI Overlay 1.0 document")
    for number, action in enumerate(overlay.get("actions", []), 1):
        try:
            _apply(document, action)
        except (SpecificationError, jsonpath.JSONPathError) as error:
            raise SpecificationError(f"{overlay_file}: action {number}: {error}") from error


def _apply(document: Json, action: Json) -> None:
    target = action["target"]
    matches = list(jsonpath.finditer(target, document))
    if not matches:
        raise SpecificationError(f"target {target} selects nothing")
    if action.get("remove"):
        for match in reversed(matches):
            if match.parent is None:
                raise SpecificationError("the document root cannot be removed")
            del match.parent.obj[match.parts[-1]]  # type: ignore[attr-defined]
        return
    for match in matches:
        update = action.get("update")
        if isinstance(match.obj, dict) and isinstance(update, dict):
            merge(match.obj, update)
        elif isinstance(match.obj, list):
            match.obj.append(_copy(update))
        else:
            raise SpecificationError(f"target {target} selects neither an object nor an array")


def merge(node: Json, update: Json) -> None:
    """Merge `update` into `node` by the rules of Overlay 1.0: merge objects, append arrays, replace anything else."""
    for key, value in update.items():
        present = node.get(key)
        if isinstance(present, dict) and isinstance(value, dict):
            merge(present, value)
        elif isinstance(present, list) and isinstance(value, list):
            present.extend(_copy(value))
        else:
            node[key] = _copy(value)


def _copy(value: Any) -> Any:
    """Copy `value`, so that the targets of one action share nothing."""
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copy(item) for item in value]
    return value

"""The API document for schemathesis, made strict, and the number of cases.

FUZZ_EXAMPLES: random cases for each operation, in addition to the examples and edge cases of its schemas.
FUZZ_SEED: an integer. Without it, every run repeats the same cases.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.core.transport import Response
from schemathesis.generation.case import Case
from schemathesis.hooks import HookContext
from schemathesis.schemas import BaseSchema

from tams_server.app import read_specification
from tams_server.settings import Settings
from tams_server.specification.operations import FORM
from tests.conformance.kit.documents import Json
from tests.fuzz.exclusions import is_failure
from tests.fuzz.resources import TAG

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "50"))
SEED = int(os.environ["FUZZ_SEED"]) if os.environ.get("FUZZ_SEED") else None

UNLISTED = ("401", "405", "413", "415")
"""Statuses that TAMS never lists but HTTP requires (A01)."""

BAD_QUERY = "400"
"""The status for a bad query, also where it is not listed (A07, A09)."""


def fuzzed_schema(api_dir: Path | None = None, change: Callable[[Json], Json] | None = None) -> BaseSchema:
    """The document as the server loads it: the project's own, or the copy in `api_dir`. change: applied last."""
    settings = Settings() if api_dir is None else Settings(api_dir=api_dir)
    document = _strict(read_specification(settings).document)
    if change is not None:
        document = change(document)
    schema = schemathesis.openapi.from_dict(document, config=_config())
    schema.hook("filter_failure")(_is_failure)
    return schema


def _is_failure(context: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
    return is_failure(failure, case, response)


def _strict(document: Json) -> Json:
    """List every status that a response may have, and replace templated parameter names (`tag.{name}`) by a name.

    Files in forms get the type that most flows have.
    """
    for item in document["paths"].values():
        for method, operation in item.items():
            form = operation.get("requestBody", {}).get("content", {}).get(FORM)
            if form is not None and "file" in form["encoding"]:
                form["encoding"]["file"]["contentType"] = "video/mp2t"
            error_response = operation["responses"].pop("default", {"description": "Error."})
            unlisted = UNLISTED if method in ("put", "post") else (*UNLISTED, BAD_QUERY)
            operation["responses"] = {**dict.fromkeys(unlisted, error_response), **operation["responses"]}
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "query":
                    parameter["name"] = parameter["name"].replace("{name}", TAG)
    return document


def _config() -> SchemathesisConfig:
    generation = {
        "max-examples": EXAMPLES,
        "deterministic": SEED is None,
        "database": "none",
        "no-shrink": True,  # the server is stateful: a smaller case would meet another state
        "with-security-parameters": False,  # the checks try requests without a credential themselves
    }
    seed = {} if SEED is None else {"seed": SEED}
    return SchemathesisConfig.from_dict({"generation": generation, "suppress-health-check": ["all"], **seed})

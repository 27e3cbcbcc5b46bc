"""The API as schemathesis takes it: a document, made strict, and how much of it to try.

FUZZ_EXAMPLES: random cases for each operation, beside the examples and the edge cases of its schemas.
FUZZ_SEED: a whole number for other cases than those that every run repeats.
"""

import os
from collections.abc import Callable
from pathlib import Path

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.core.transport import Response
from schemathesis.generation.case import Case
from schemathesis.hooks import HookContext
from schemathesis.schemas import BaseSchema

from tams_server.app import read_specification
from tams_server.settings import Settings
from tests.conformance.kit.documents import Json
from tests.fuzz.exclusions import is_failure
from tests.fuzz.world import TAG

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "50"))
SEED = int(os.environ["FUZZ_SEED"]) if os.environ.get("FUZZ_SEED") else None

UNLISTED = ("401", "405", "413", "415")
"""Statuses that TAMS never lists, and that HTTP nevertheless asks for (A01)."""

BAD_QUERY = "400"
"""What a bad query gets where none is listed too (A07, A09)."""


def fuzzed_schema(api_dir: Path | None = None, change: Callable[[Json], Json] | None = None) -> BaseSchema:
    """The document as the server loads it: the project's own, or another copy in `api_dir`. change: made to it last."""
    settings = Settings() if api_dir is None else Settings(api_dir=api_dir)
    document = _strict(read_specification(settings).document)
    if change is not None:
        document = change(document)
    schema = schemathesis.openapi.from_dict(document, config=_config())
    schema.hook("filter_failure")(_is_failure)
    return schema


def _is_failure(context: HookContext, failure: Failure, case: Case, response: Response) -> bool:
    return is_failure(failure, case, response)


def _strict(document: Json) -> Json:
    """The document with a listed status for every answer, and with names in place of templates of names (T01)."""
    for item in document["paths"].values():
        for method, operation in item.items():
            refusal = operation["responses"].pop("default", {"description": "Refused."})
            unlisted = UNLISTED if method in ("put", "post") else (*UNLISTED, BAD_QUERY)
            operation["responses"] = {**dict.fromkeys(unlisted, refusal), **operation["responses"]}
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "query":
                    parameter["name"] = parameter["name"].replace("{name}", TAG)
    return document


def _config() -> SchemathesisConfig:
    generation = {
        "max-examples": EXAMPLES,
        "deterministic": SEED is None,
        "database": "none",
        "allow-x00": False,  # refused wherever it stands, which test_raw_input.py sees to
        "no-shrink": True,  # the server remembers, so a smaller case would meet another state
        "with-security-parameters": False,  # the checks try requests without a credential themselves
    }
    seed = {} if SEED is None else {"seed": SEED}
    return SchemathesisConfig.from_dict({"generation": generation, "suppress-health-check": ["all"], **seed})

"""The types of documents are those of the schemas."""

import json
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from tams_server.client import models
from tests.client.model_generator import MODELS, generated

EXAMPLES = Path(__file__).parents[2] / "api" / "examples"


def test_models_are_those_of_the_schemas() -> None:
    assert MODELS.read_text() == generated(), "run: make models"


@pytest.mark.parametrize(
    ("example", "model"),
    [
        ("flow-video.json", models.VideoFlow),
        ("flow-audio.json", models.AudioFlow),
        ("flow-multi.json", models.MultiFlow),
        ("source.json", models.Source),
        ("service.json", models.Service),
        ("object.json", models.MediaObject),
        ("webhook.json", models.Webhook),
        ("delete-request.json", models.FlowDeleteRequest),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_examples_have_the_members_of_their_models(example: str, model: Any) -> None:
    path = EXAMPLES / example
    document = json.loads(path.read_text())
    assert model.__required_keys__ <= document.keys() <= get_type_hints(model).keys()

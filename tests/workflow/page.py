"""`python -m tests.workflow.page` runs the workflow and writes docs/workflow.md."""

import tempfile
from pathlib import Path

from tests.api.in_process import serving
from tests.workflow.steps import run
from tests.workflow.transcript import Transcript

PAGE = Path(__file__).parents[2] / "docs" / "workflow.md"

_INTRODUCTION = """# A sample workflow

From an empty server to media that is uploaded, read, used twice and deleted, in fifteen steps. The requests and
responses are those of a real run: `python -m tests.workflow.page` runs them and writes this page, and a test fails if
it is not up to date. Times, signatures, and the address of the server are replaced by examples."""
_ADDRESS = "http://localhost:4010"
_BACKEND = "5cd6f2a4-0a43-4b57-9c3b-2f1c5d7f9e11"


def page(folder: Path) -> str:
    """Return the text of the page, from a run against a server whose data are in `folder`."""
    with serving(folder) as running:
        [backend] = running.client.get("/service/storage-backends").json()
        transcript = Transcript(running.client, {running.url: _ADDRESS, backend["id"]: _BACKEND})
        transcript.say(_INTRODUCTION)
        run(transcript)
    return transcript.text()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(page(Path(folder)))

"""The synchronous client is a translation of the asynchronous one: `python -m tests.client.translation` writes it."""

import re
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "tams_server" / "client"
_WORDS = {
    "The asynchronous client": "The synchronous client",
    "an asynchronous context": "a context",
    "import asyncio\nimport base64": "import base64\nimport time",
    "asyncio.sleep": "time.sleep",
    "AsyncIterator": "Iterator",
    "asynccontextmanager": "contextmanager",
    "AsyncBaseTransport": "BaseTransport",
    "AsyncClient": "Client",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "aclose": "close",
    "aread": "read",
    "aiter_raw": "iter_raw",
}
_LOOP = re.compile(r"for item in (.+):\n +yield item\n")


def translated() -> str:
    """The synchronous client, as made from the asynchronous one."""
    text = (FOLDER / "async_client.py").read_text()
    for word, other in _WORDS.items():
        text = text.replace(word, other)
    text = re.sub(r"\basync (def|for|with)", r"\1", text).replace("await ", "")
    return _LOOP.sub(r"yield from \1\n", text)


if __name__ == "__main__":
    (FOLDER / "sync_client.py").write_text(translated())

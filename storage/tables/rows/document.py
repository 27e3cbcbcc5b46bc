"""What clients sent, as columns hold it."""

from typing import Any

Document = dict[str, Any]

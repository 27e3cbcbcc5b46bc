"""What an author has been told: the state of its flow and webhooks, and the events that each change causes."""

import hashlib
import random
from collections import defaultdict
from dataclasses import dataclass, field

from tests.conformance.kit.documents import Json, flow
from tests.conformance.kit.ids import fresh
from tests.faults.history import History

MAX_CONTENT_BYTES = 60_000


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment of one second. stored: whether the store has its bytes (`content`), which are elsewhere otherwise."""

    object_id: str
    stored: bool

    def body(self, second: int) -> Json:
        """The document that registers it."""
        document: Json = {"object_id": self.object_id, "timerange": f"[{second}:0_{second + 1}:0)"}
        if not self.stored:
            document["get_urls"] = [{"url": f"https://media.example.com/{self.object_id}", "label": "elsewhere"}]
        return document


def elsewhere() -> Segment:
    return Segment(fresh(), stored=False)


def content(object_id: str) -> bytes:
    """The bytes of an object, which its id determines, so that nobody has to remember them."""
    made = random.Random(hashlib.sha256(object_id.encode()).digest())
    return made.randbytes(made.randrange(1, MAX_CONTENT_BYTES))


@dataclass
class FlowState:
    """One flow. segments: by their second, without gaps. copied: objects with an acknowledged copy."""

    document: Json = field(default_factory=flow)
    exists: bool = False
    label: str | None = None
    source_label: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    segments: dict[int, Segment] = field(default_factory=dict)
    next: int = 0
    copied: set[str] = field(default_factory=set)

    @property
    def id(self) -> str:
        id_: str = self.document["id"]
        return id_

    @property
    def source_id(self) -> str:
        id_: str = self.document["source_id"]
        return id_

    @property
    def path(self) -> str:
        return f"/flows/{self.id}"

    @property
    def source_path(self) -> str:
        return f"/sources/{self.source_id}"

    @property
    def first(self) -> int:
        """The second of the first segment; `next` if there is none."""
        return next(iter(self.segments), self.next)


@dataclass
class Books:
    """Everything that one author knows to have happened.

    history: the events that must be delivered. deleted: (flow, source) that are gone. webhooks: by path, the document
    that was acknowledged. deleted_webhooks: paths. acknowledged, uploaded, rejected, unanswered, repeated, unavailable:
    numbers of requests. unavailable: those that got 503 with Retry-After.
    """

    flow: FlowState = field(default_factory=FlowState)
    history: History = field(default_factory=lambda: defaultdict(list))
    deleted: list[tuple[str, str]] = field(default_factory=list)
    webhooks: dict[str, Json] = field(default_factory=dict)
    deleted_webhooks: list[str] = field(default_factory=list)
    acknowledged: int = 0
    uploaded: int = 0
    rejected: int = 0
    unanswered: int = 0
    repeated: int = 0
    unavailable: int = 0

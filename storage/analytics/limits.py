"""What one query may take."""

from dataclasses import dataclass

from storage.errors import TooExpensive


@dataclass(frozen=True, slots=True)
class Limits:
    """memory: bytes. timeout_s: seconds for everything, reading the tables included. rows: of a result. threads: of
    DuckDB, at most as many as leave a core to requests. answer_bytes: of a result; None for any.
    """

    memory: int
    timeout_s: float
    rows: int
    threads: int = 1
    answer_bytes: int | None = None

    def check_answer(self, size: int) -> None:
        """Raise TooExpensive for a result, or a part of one, that has more bytes than it may have."""
        if self.answer_bytes is not None and size > self.answer_bytes:
            raise TooExpensive(
                f"the answer has more than {self.answer_bytes // 2**20} MiB: select fewer rows or columns, or less of"
                " long texts"
            )

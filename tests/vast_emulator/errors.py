"""Error responses of the emulator, in the form of S3's errors."""


class Rejection(Exception):
    """An error response: its HTTP status, its error code and its message."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

"""What the emulator refuses, in the form of S3's errors."""


class Refusal(Exception):
    """An answer other than 200: HTTP status, code of the error, and words for it."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

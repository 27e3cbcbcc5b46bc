"""An emulator of the VAST Database wire protocol for tests: the unmodified `vastdb` SDK talks to it.

store.py holds the tables, whose rows versions.py keeps with snapshot isolation. query.py parses the SDK's queries and
encodes their results; responses.py encodes the other responses; operations.py carries out each kind of request;
faults.py injects faults; server.py speaks HTTP. The emulator shows that the SDK is used correctly. It cannot show how a
real cluster behaves where that is not documented (docs/vast.md).
"""

from tests.vast_emulator.faults import Fault
from tests.vast_emulator.server import Emulator

__all__ = ["Emulator", "Fault"]

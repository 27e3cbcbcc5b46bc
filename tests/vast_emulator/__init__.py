"""An emulator of the VAST Database wire protocol, for tests: the unmodified `vastdb` SDK talks to it.

store.py keeps rows in versions (snapshot isolation), query.py reads what the SDK asks and frames what it gets,
answers.py builds the other answers, faults.py goes wrong on purpose, server.py speaks HTTP. It shows that the SDK is
used rightly; how a real cluster behaves where nothing is documented it cannot show (docs/vast.md).
"""

from tests.vast_emulator.faults import Fault
from tests.vast_emulator.server import Emulator

__all__ = ["Emulator", "Fault"]

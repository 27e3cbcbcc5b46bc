"""Group commit: writers of one process that wait for each other share a transaction, and so its sync to disk.

A writer whose block has ended, while others wait, leaves its transaction open to the next of them, and waits. The last
one commits for all. It is the last if nobody waits, if the group has _MAX_MEMBERS, or if it is _MAX_AGE_S old, so that
other processes get their turn. So a writer returns only once its changes are durable, and one that meets no other does
exactly what it would do without a group.

What one writer does must not depend on whether another succeeds:

- The first writer of a group needs no savepoint. If its block raises, nobody else has written yet, so that the
  transaction is rolled back and its error is raised at once; the next writer begins a new group.
- Each later one has a savepoint, to which it is rolled back if its block raises. Its error may be due to changes of the
  writers before it, such as a row that exists already. So it is raised only once these are durable.
- If the commit fails or is not confirmed, or the database rolls the transaction back, no writer of the group has
  changed anything, and every one of them raises Unavailable, whatever its block raised.

A writer whose block has ended waits for those of others. So a block must not wait for a lock that another thread keeps
around a whole transaction.
"""

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from storage.errors import Unavailable
from storage.tables.forking import call_after_fork

_log = logging.getLogger(__name__)

Confirm = Callable[[sqlite3.Connection], None]

_MAX_MEMBERS = 100
_MAX_AGE_S = 0.01


class _Group:
    """Writers that share a transaction. One at a time uses the connection.

    began: by time.monotonic(). members: how many have used the connection. problem: why it failed, if it did.
    """

    def __init__(self, transaction: AbstractContextManager[sqlite3.Connection], confirm: Confirm) -> None:
        self._transaction = transaction
        self._confirm = confirm
        self.connection = transaction.__enter__()
        self.began = time.monotonic()
        self.members = 0
        self.has_failed = False
        self.problem = "the catalogue cannot be reached or written at the moment"
        self._ended = threading.Event()

    def is_full(self) -> bool:
        if self.has_failed or self.members >= _MAX_MEMBERS:
            return True
        return time.monotonic() - self.began > _MAX_AGE_S

    def commit(self) -> None:
        """Commit for all members, and let them know how it went."""
        try:
            if not self.has_failed:
                self.connection.execute("COMMIT")
                self._confirm(self.connection)
        except (sqlite3.Error, Unavailable) as error:
            self.fail(error)
        except BaseException as error:  # MemoryError, which SQLite raises too; KeyboardInterrupt
            self.fail(error)
            raise
        finally:
            self.end()

    def fail(self, error: BaseException | None = None) -> None:
        """Record that the changes of all members are lost. They are not rolled back yet."""
        self.has_failed = True
        if isinstance(error, Unavailable):
            self.problem = error.message
        _log.error("catalogue: %s", "SQLite rolled a transaction back" if error is None else str(error) or repr(error))

    def end(self) -> None:
        """Give the connection and the locks back, rolling back what is not committed."""
        try:
            self._transaction.__exit__(None, None, None)
        finally:
            self._ended.set()

    def wait(self) -> None:
        """Wait until the last member has committed."""
        self._ended.wait()


class _Turn:
    """A writer that waits for its turn. group: the group to join, once it is its turn; None to begin one."""

    def __init__(self) -> None:
        self.group: _Group | None = None
        self._lock = threading.Lock()
        self._lock.acquire()

    def wait(self) -> None:
        self._lock.acquire()

    def give(self, group: _Group | None) -> None:
        self.group = group
        self._lock.release()


class GroupCommit:
    """The write transactions of a process, of which one at a time is open. Safe for threads.

    Safe across fork too, but not while another thread writes: in the new process, SQLite takes that transaction for one
    of its own, and waits for its end.

    begin: a context manager that waits for other processes, and begins a transaction. Its end rolls back what has not
    been committed. confirm: called after each commit; raises Unavailable if it is not durable.
    """

    def __init__(
        self, begin: Callable[[], AbstractContextManager[sqlite3.Connection]], confirm: Confirm = lambda _: None
    ) -> None:
        self._begin = begin
        self._confirm = confirm
        self._reset()
        call_after_fork(self._reset)

    def _reset(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[_Turn] = deque()
        self._is_in_use = False

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection in a transaction, for the block alone. The changes are durable once the block has ended.

        Raises Unavailable if the commit fails, and whatever `begin` raises.
        """
        group = self._wait_for_turn()
        if group is None:
            yield from self._as_first()
        else:
            yield from self._as_member(group)

    def _as_first(self) -> Iterator[sqlite3.Connection]:
        try:
            group = _Group(self._begin(), self._confirm)
        except BaseException:
            self._give_turn(None)
            raise
        group.members = 1
        try:
            yield group.connection
        except BaseException:
            self._end(group)
            raise
        self._hand_on(group)

    def _as_member(self, group: _Group) -> Iterator[sqlite3.Connection]:
        group.members += 1
        error: BaseException | None = None
        try:
            group.connection.execute("SAVEPOINT member")
            yield group.connection
            group.connection.execute("RELEASE member")
        except BaseException as raised:
            error = raised
            _roll_back_member(group)
        self._hand_on(group)
        if error is not None:
            raise error

    def _hand_on(self, group: _Group) -> None:
        """End the turn of a member. Return once the changes of the group are durable, or raise Unavailable."""
        if not group.has_failed and not group.connection.in_transaction:
            group.fail()
        if group.is_full() or not self._give_turn(group):
            try:
                group.commit()
            finally:
                self._give_turn(None)
        else:
            group.wait()
        if group.has_failed:
            raise Unavailable(group.problem)

    def _end(self, group: _Group) -> None:
        try:
            group.end()
        finally:
            self._give_turn(None)

    def _wait_for_turn(self) -> _Group | None:
        """Wait until no other writer uses the connection. Return the group to join; None to begin one."""
        with self._mutex:
            if not self._is_in_use:
                self._is_in_use = True
                return None
            turn = _Turn()
            self._waiting.append(turn)
        try:
            turn.wait()
        except BaseException:  # KeyboardInterrupt
            self._give_up(turn)
            raise
        return turn.group

    def _give_up(self, turn: _Turn) -> None:
        with self._mutex:
            if turn in self._waiting:
                self._waiting.remove(turn)
                return
        if turn.group is None:
            self._give_turn(None)
        else:
            self._hand_on(turn.group)

    def _give_turn(self, group: _Group | None) -> bool:
        """Let the next writer join this group, or begin one if there is none. False if nobody waits for that."""
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().give(group)
                return True
            if group is None:
                self._is_in_use = False
            return False


def _roll_back_member(group: _Group) -> None:
    """Undo the changes of a member whose block has raised."""
    try:
        if group.connection.in_transaction:
            group.connection.execute("ROLLBACK TO member")
            group.connection.execute("RELEASE member")
    except (sqlite3.Error, MemoryError) as error:
        group.fail(error)

"""What transactions can do: `reader` reads rows, and `writer` writes them too; `selection` says which rows.

A row is a dict from column name to str, int, bool, None or, in columns of type "json", any JSON value. The name of a
table determines the type of its rows (storage.tables.rows).
"""

from storage.tables.transaction.reader import Reader
from storage.tables.transaction.selection import ByteBudget, Row, Selection, Where
from storage.tables.transaction.writer import Writer, divided

__all__ = ["ByteBudget", "Reader", "Row", "Selection", "Where", "Writer", "divided"]

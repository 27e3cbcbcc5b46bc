"""Migrations of SQL databases to the current tables, from an empty database or from that of any release, with Alembic.

Every change of the tables (storage.tables.rows, storage.tables.schema) needs a module here: with the next number as
`revision`, the previous one as `down_revision`, and Alembic's operations in `upgrade()`. NEWEST is set to its number. A
migration uses nothing of the current schema, which will change again.
"""

from pathlib import Path

import sqlalchemy as sa

from storage.tables.sql.tables import METADATA

NEWEST = "0015"
_BEFORE_ALEMBIC = "0001"
"""The version of a database that has tables, but no table of versions."""

# As Alembic declares it. It has metadata of its own because it is not a table of the catalogue.
VERSIONS = sa.Table(
    "alembic_version",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


class UnknownSchema(ValueError):
    """The database has the schema of a newer version of the server."""


def stored_version(connection: sa.Connection) -> str | None:
    """The version of the database's schema; None if it is empty."""
    inspector = sa.inspect(connection)
    if inspector.has_table(VERSIONS.name):
        version: str | None = connection.execute(sa.select(VERSIONS.c.version_num)).scalar()
        return version
    return _BEFORE_ALEMBIC if inspector.has_table("service") else None


def upgrade(connection: sa.Connection) -> None:
    """Create or migrate the tables in the transaction of `connection`. The caller excludes other processes.

    Raises UnknownSchema.
    """
    version = stored_version(connection)
    if version is None:
        METADATA.create_all(connection)
        _stamp(connection, NEWEST)
    elif version != NEWEST:
        if version == _BEFORE_ALEMBIC and not sa.inspect(connection).has_table(VERSIONS.name):
            _stamp(connection, version)
        run_steps(connection)


def run_steps(connection: sa.Connection, until: str = NEWEST) -> None:
    """Run every migration from the version of the database, which may be empty, to `until`. Raises UnknownSchema."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    folder = str(Path(__file__).parent)
    scripts = ScriptDirectory(folder, version_locations=[folder])
    version = stored_version(connection)
    if version is not None and version not in {script.revision for script in scripts.walk_revisions()}:
        raise UnknownSchema(f"this server needs a database schema of at most {NEWEST}, not {version}")
    steps = {"fn": lambda heads, _context: scripts._upgrade_revs(until, heads)}
    context = MigrationContext.configure(connection, opts=steps)
    with Operations.context(context):
        context.run_migrations()


def _stamp(connection: sa.Connection, version: str) -> None:
    VERSIONS.create(connection, checkfirst=True)
    connection.execute(sa.insert(VERSIONS).values(version_num=version))

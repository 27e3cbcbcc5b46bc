"""From an empty database, or that of any release, to the tables of today; Alembic runs where there is a step to go.

A change of storage.tables.schema needs a module here: `revision` the next number, `down_revision` the one before,
`upgrade()` in Alembic's operations, and NEWEST set to it. Each is complete in itself, since the schema moves on.
"""

from pathlib import Path

import sqlalchemy as sa

from storage.tables.sql import METADATA

NEWEST = "0003"
_BEFORE_ALEMBIC = "0001"
"""What a database is that has tables, and no version."""

# As Alembic declares it; in metadata of its own, since it is no table of the catalogue.
VERSIONS = sa.Table(
    "alembic_version",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


class UnknownSchema(ValueError):
    """The database has a schema that this version of the server does not know: a newer one made it."""


def stored_version(connection: sa.Connection) -> str | None:
    """The version of the schema of this database; None where it is empty."""
    inspector = sa.inspect(connection)
    if inspector.has_table(VERSIONS.name):
        version: str | None = connection.execute(sa.select(VERSIONS.c.version_num)).scalar()
        return version
    return _BEFORE_ALEMBIC if inspector.has_table("service") else None


def upgrade(connection: sa.Connection) -> None:
    """Make or change the tables, within the transaction of `connection`, whose caller keeps others out.

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
    """Every step from the version of the database, which may be empty, to `until`. Raises UnknownSchema."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    folder = str(Path(__file__).parent)
    scripts = ScriptDirectory(folder, version_locations=[folder])
    version = stored_version(connection)
    if version is not None and version not in {script.revision for script in scripts.walk_revisions()}:
        raise UnknownSchema(f"the database is of schema {version}; this server knows no later one than {NEWEST}")
    steps = {"fn": lambda heads, _context: scripts._upgrade_revs(until, heads)}
    context = MigrationContext.configure(connection, opts=steps)
    with Operations.context(context):
        context.run_migrations()


def _stamp(connection: sa.Connection, version: str) -> None:
    VERSIONS.create(connection, checkfirst=True)
    connection.execute(sa.insert(VERSIONS).values(version_num=version))

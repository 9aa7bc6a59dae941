"""Migrations build what tables.py declares, lose nothing, and run in the order of their numbers."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path
from uuid import uuid4

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine, inspect, make_url, select, text
from sqlalchemy.exc import ProgrammingError

from colorway.ledger.connection import Ledger
from colorway.ledger.revision import NEWEST
from colorway.ledger.tables import Row, colorways, images
from tests.builders import a_job, an_image, row_of
from tests.databases import ROOT, migrate, migrations_of

MAY_BE_IMPORTED = {"__future__", "alembic", "sqlalchemy"}
VERSIONS = sorted((ROOT / "migrations" / "versions").glob("*.py"))

ALTER_JOBS = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "9999", {newest!r}


def upgrade():
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("note", sa.Text()))
        jobs.alter_column("reuse", type_=sa.String(99))
    {more}
"""


@pytest.fixture
def empty_ledger(empty_database):
    ledger = Ledger(empty_database, pool_size=2)
    yield ledger
    ledger.dispose()


@pytest.fixture
def copied(tmp_path):
    """A copy of the migrations, to try things in: the folder that alembic.ini lies in."""
    shutil.copy(ROOT / "alembic.ini", tmp_path)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "migrations", tmp_path / "migrations", ignore=ignored)
    return tmp_path


def with_one_more(copied, url, more=""):
    """Add a revision that alters the jobs' table and then does more."""
    file = copied / "migrations" / "versions" / "9999_alter_jobs.py"
    file.write_text(ALTER_JOBS.format(newest=VERSIONS[-1].name[:4], more=more))
    return migrations_of(url, root=copied)


def shape_of(ledger):
    """Return all that makes up the tables: columns, keys, constraints and indexes."""
    found = inspect(ledger.engine)
    looks = (
        found.get_columns,
        found.get_pk_constraint,
        found.get_foreign_keys,
        found.get_unique_constraints,
        found.get_indexes,
    )
    return {
        (table, look.__name__): sorted(in_words(thing) for thing in as_list(look(table)))
        for table in Row.metadata.tables
        for look in looks
    }


def in_words(thing):
    """Say it with the SQL of what it holds, whichever objects those are."""
    options = thing.get("dialect_options") if isinstance(thing, dict) else None
    if options:
        thing = thing | {"dialect_options": {name: str(sql) for name, sql in options.items()}}
    return str(thing)


def as_list(found):
    return found if isinstance(found, list) else [found]


def imports_of(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.partition(".")[0]


def tables_in(ledger):
    return set(inspect(ledger.engine).get_table_names())


def test_from_nothing_to_the_newest_revision_is_what_the_tables_declare(
    empty_database, empty_ledger
):
    migrate(empty_database)

    with empty_ledger.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Row.metadata) == []


def test_the_tables_are_built_just_as_declared(empty_database, empty_ledger):
    """Beyond what Alembic compares: keys, ON DELETE, every name, as the database has them."""
    migrate(empty_database)
    migrated = shape_of(empty_ledger)

    Row.metadata.drop_all(empty_ledger.engine)
    Row.metadata.create_all(empty_ledger.engine)

    assert migrated == shape_of(empty_ledger)


def test_down_to_nothing_and_up_again(empty_database, empty_ledger):
    migrate(empty_database)
    built = tables_in(empty_ledger)

    command.downgrade(migrations_of(empty_database), "base")
    assert tables_in(empty_ledger) == {"alembic_version"}

    migrate(empty_database)
    assert tables_in(empty_ledger) == built


def test_a_migrated_ledger_works(empty_database, empty_ledger):
    migrate(empty_database)
    migrate(empty_database)  # there is nothing to do, and that is fine

    with empty_ledger.transaction() as session:
        a_job(session)


def test_logins_of_services_may_use_rows_and_change_no_table(postgres, monkeypatch):
    login = f"a-service@{uuid4().hex}.iam"  # in a URL it has to be quoted, and in SQL
    monkeypatch.setenv("LEDGER_LOGINS", login)
    with postgres.database() as url:
        owner = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with owner.connect() as connection:
            connection.exec_driver_sql(f"CREATE ROLE \"{login}\" LOGIN PASSWORD 'a'")
        try:
            migrate(url)
            as_service = make_url(url).set(username=login, password="a")  # noqa: S106 - a test's
            ledger = Ledger(as_service.render_as_string(hide_password=False))
            with ledger.transaction() as session:
                a_job(session, palettes=("nord",))
            with (
                pytest.raises(ProgrammingError, match="must be owner"),
                ledger.transaction() as session,
            ):
                session.execute(text("ALTER TABLE jobs ADD COLUMN mine text"))
            ledger.dispose()
        finally:
            with owner.connect() as connection:
                connection.exec_driver_sql(f'DROP OWNED BY "{login}"')
                connection.exec_driver_sql(f'DROP ROLE "{login}"')


def test_altering_a_table_keeps_the_rows_that_hang_on_it(empty_database, empty_ledger, copied):
    migrate(empty_database)
    with empty_ledger.transaction() as session:
        job, _ = a_job(session)

    command.upgrade(with_one_more(copied, empty_database), "head")

    with empty_ledger.reading() as session:
        assert session.scalars(select(colorways.c.job_id)).all() == [job]


def test_a_migration_that_fails_changes_nothing(empty_database, empty_ledger, copied):
    migrate(empty_database)

    with pytest.raises(ZeroDivisionError):
        command.upgrade(with_one_more(copied, empty_database, more="1 / 0"), "head")

    names = {column["name"] for column in inspect(empty_ledger.engine).get_columns("jobs")}
    assert "note" not in names


def test_a_migration_that_orphans_rows_is_undone(sqlite_ledger, copied):
    with sqlite_ledger.transaction() as session:
        image = an_image(session)
        a_job(session, image=image)
    orphaning = with_one_more(
        copied, str(sqlite_ledger.engine.url), more='op.execute("DELETE FROM images")'
    )

    with pytest.raises(RuntimeError, match="without its parent"):
        command.upgrade(orphaning, "head")

    with sqlite_ledger.reading() as session:
        assert row_of(session, images, image.id) == image


def test_the_code_knows_which_revision_is_the_newest():
    """colorway/ledger/revision.py: the worker has no migrations beside it to look at."""
    assert ScriptDirectory.from_config(migrations_of("sqlite://")).get_current_head() == NEWEST


def test_revisions_are_numbered_in_the_order_they_run():
    script = ScriptDirectory.from_config(migrations_of("sqlite://"))

    in_order = [revision.revision for revision in script.walk_revisions()][::-1]

    assert in_order == [f"{number:04}" for number in range(1, len(VERSIONS) + 1)]
    assert [file.name[:5] for file in VERSIONS] == [f"{number}_" for number in in_order]


def test_a_new_revision_gets_the_next_number(sqlite_ledger, copied):
    config = migrations_of(str(sqlite_ledger.engine.url), root=copied)

    written = command.revision(config, message="nothing yet", autogenerate=True)

    assert written.revision == f"{len(VERSIONS) + 1:04}"
    assert written.down_revision == f"{len(VERSIONS):04}"
    assert Path(written.path).name == f"{written.revision}_nothing_yet.py"


def test_a_revision_that_alembic_writes_is_plain_and_complete(empty_database, empty_ledger, copied):
    for version in (copied / "migrations" / "versions").glob("*.py"):
        version.unlink()
    config = migrations_of(empty_database, root=copied)

    written = command.revision(config, message="everything", autogenerate=True)
    command.upgrade(config, "head")

    assert set(imports_of(Path(written.path))) <= MAY_BE_IMPORTED
    with empty_ledger.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Row.metadata) == []


@pytest.mark.parametrize("file", VERSIONS, ids=lambda file: file.stem)
def test_a_migration_imports_only_alembic_and_sqlalchemy(file):
    assert set(imports_of(file)) <= MAY_BE_IMPORTED

"""The one database: group commit, refusals, and what a full disk or a cancelled caller may not do."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Integer, Table, func, insert, select

from memory.database import Database, HomeInUseError, StorageError, metadata

numbers = Table("test_numbers", metadata, Column("n", Integer, primary_key=True))


def put(number: int):
    return lambda tx: tx.execute(insert(numbers), {"n": number})


def count(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(numbers)).scalar() or 0


async def test_what_is_queued_together_is_committed_together(tmp_path: Path) -> None:
    with Database.open(tmp_path) as database:
        before = database.commits
        await asyncio.gather(*(database.write(put(number)) for number in range(200)))
        assert count(database) == 200
        assert database.commits - before < 50


async def test_one_bad_write_fails_alone(tmp_path: Path) -> None:
    with Database.open(tmp_path) as database:
        await database.write(put(1))
        outcomes = await asyncio.gather(
            database.write(put(2)), database.write(put(1)), database.write(put(3)), return_exceptions=True
        )
        assert isinstance(outcomes[1], StorageError)
        assert count(database) == 3


async def test_a_write_that_raises_leaves_nothing(tmp_path: Path) -> None:
    def half(tx: Connection) -> None:
        put(7)(tx)
        raise ValueError("no")

    with Database.open(tmp_path) as database:
        with pytest.raises(ValueError, match="no"):
            await database.write(half)
        assert count(database) == 0


async def test_a_caller_who_gives_up_does_not_stop_the_writer(tmp_path: Path) -> None:
    with Database.open(tmp_path) as database:
        for number in range(50):
            writing = asyncio.ensure_future(database.write(put(number)))
            await asyncio.sleep(0)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
        await asyncio.wait_for(database.write(put(1000)), 120)
        assert count(database) >= 1


def test_a_second_owner_is_told_who_has_it(tmp_path: Path) -> None:
    with Database.open(tmp_path), pytest.raises(HomeInUseError, match="Another Soloist"):
        Database.open(tmp_path)


def test_a_damaged_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "soloist.db").write_bytes(b"this is no database" * 1000)
    with pytest.raises(StorageError, match="doctor"):
        Database.open(tmp_path)


def test_looking_beside_the_owner_writes_nothing(tmp_path: Path) -> None:
    with Database.open(tmp_path) as database:
        database.write_now(put(1))
        looking = Database.look(tmp_path)
        assert count(looking) == 1
        with pytest.raises(StorageError, match="closed for writing"):
            looking.write_now(put(2))
        looking.close()


def test_a_table_without_rowid_has_its_keys_first() -> None:
    """SQLite 3.40 says of any other order that the file is damaged, and a backup of it could never be restored."""
    import memory.projections  # noqa: F401 - it declares the tables

    for table in metadata.tables.values():
        if table.dialect_options["sqlite"]["with_rowid"] is False:
            keys = [column.name for column in table.primary_key]
            assert [column.name for column in table.columns][: len(keys)] == keys, table.name


def test_an_index_that_came_later_than_its_table_is_made_in_a_home_of_before(tmp_path: Path) -> None:
    import memory.projections  # noqa: F401 - it declares the tables

    def has_it(database: Database) -> bool:
        with database.read() as connection:
            found = connection.exec_driver_sql(
                "SELECT count(*) FROM sqlite_master WHERE name = 'effects_pace'"
            ).scalar()
        return bool(found)

    with Database.open(tmp_path) as database:
        database.write_now(lambda tx: tx.exec_driver_sql("DROP INDEX effects_pace"))
        assert not has_it(database)
    with Database.open(tmp_path) as database:
        assert has_it(database)

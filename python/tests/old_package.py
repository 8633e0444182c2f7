"""Files as the old package 1.3.0 wrote them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import astuple, dataclass
from pathlib import Path

CREATE_TABLE = """
    CREATE TABLE fastapi_simple_security (
        api_key TEXT PRIMARY KEY,
        is_active INTEGER,
        never_expire INTEGER,
        expiration_date TEXT,
        latest_query_date TEXT,
        total_queries INTEGER)
"""
# Files of before 0.4 have no such column.
ADD_NAME = "ALTER TABLE fastapi_simple_security ADD COLUMN name TEXT"


@dataclass
class OldRow:
    api_key: str | bytes | None
    is_active: int | None = 1
    never_expire: int | None = 0
    expiration_date: str | None = "2222-01-01T00:00:00"
    latest_query_date: str | None = None
    total_queries: int | None = 0
    name: str | None = None


def write_old_file(path: Path, rows: Iterable[OldRow], *, with_name: bool = True) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(CREATE_TABLE)
        if with_name:
            connection.execute(ADD_NAME)
        insert_old_rows(connection, rows, with_name=with_name)


def insert_old_rows(
    connection: sqlite3.Connection, rows: Iterable[OldRow], *, with_name: bool = True
) -> None:
    columns = 7 if with_name else 6
    marks = ", ".join("?" * columns)
    connection.executemany(
        f"INSERT INTO fastapi_simple_security VALUES ({marks})",
        [astuple(row)[:columns] for row in rows],
    )
    connection.commit()

"""The database of a vertical: made from its database.sql, queried by its tools. Blocking: use a thread.

It is a file, so that what callers ask for outlives the process.
"""

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from functools import cache
from pathlib import Path

from voice_agent.dialogue.schema import Tool
from voice_agent.dialogue.vertical import Vertical
from voice_agent.errors import InputError, ModelError, TurnError

Value = str | int | float | None
Row = dict[str, Value]
BUSY_TIMEOUT_S = 3.0
"""How long one process waits for another one's write."""
MAX_ROWS = 50


def state_folder() -> Path:
    """Where files that must outlive a process go: $VOICE_AGENT_STATE, else the user's state folder."""
    if chosen := os.environ.get("VOICE_AGENT_STATE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "voice-agent"


def open_database(vertical: Vertical) -> "Database":
    """The vertical's database, brought up to date once per process. Raises ModelError when that fails."""
    database = Database(state_folder() / f"{vertical.name}.sqlite")
    _update(database.path, vertical.database_sql)
    return database


class Database:
    """One file; each query opens it anew, so that any thread may ask."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, tool: Tool, arguments: Mapping[str, object], context: Mapping[str, str]) -> list[Row]:
        """The rows that a tool gives, at most MAX_ROWS; a tool that writes has written when this returns.

        `context` gives `session`, `language` and `topic`, which arguments cannot override. Raises InputError
        when the arguments do not fit the tool, TurnError when the database fails.
        """
        values = {name: _checked(name, value) for name, value in arguments.items()} | dict(context)
        try:
            with closing(_connect(self.path)) as connection, connection:
                cursor = connection.execute(tool.sql, values)
                names = [column[0] for column in cursor.description or ()]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchmany(MAX_ROWS)]
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError) as error:
            raise InputError(f"tool '{tool.name}' cannot take these arguments: {error}") from error
        except sqlite3.Error as error:
            raise TurnError(f"database {self.path}: {error}") from error


def _checked(name: str, value: object) -> Value:
    if value is None or isinstance(value, str | int | float):
        return value
    raise InputError(f"argument '{name}': expected text or a number, not {type(value).__name__}")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S)
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


@cache
def _update(path: Path, script: str) -> None:
    """Run the vertical's script, all of it or nothing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(_connect(path)) as connection:
            connection.executescript(f"BEGIN IMMEDIATE;\n{script}\n;COMMIT;")
    except (OSError, sqlite3.Error) as error:
        raise ModelError(
            f"database {path}: {error}; VOICE_AGENT_STATE can name another folder for it"
        ) from error

"""SQL: functions for any `sqlite3` connection: `register(connection)` adds them. What they do is in docs/sql.md."""

from __future__ import annotations

from .register import register

__all__ = ["register"]

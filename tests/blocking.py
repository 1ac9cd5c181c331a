"""Blocking: a package that is installed, as if it were not."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def block(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Have every import of the package, and of what is in it, fail until the test ends."""
    for name in [package, *(name for name in sys.modules if name.startswith(f"{package}."))]:
        monkeypatch.setitem(sys.modules, name, None)

"""Native: functions registered with SQLite itself, so that an error in one reaches the user with its own sentence.

`sqlite3.Connection.create_function` says "user-defined function raised exception" whatever was raised. SQLite's own call takes
any words, so it is made here, through ctypes, in the very library that the connection uses. Before, it is made sure without
touching foreign memory that a connection keeps its handle where we look for it; where it does not, or there is no such library
to be found (another Python than CPython, SQLite linked in statically), `Unavailable` sends the caller to the ordinary way.
"""

from __future__ import annotations

import ctypes
import sqlite3
import sys
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_double, c_int, c_int64, c_void_p, string_at
from functools import cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

UTF8, DETERMINISTIC, INNOCUOUS = 1, 0x800, 0x200000
TOO_BIG, NO_MEMORY = "sqlite3_result_error_toobig", "sqlite3_result_error_nomem"
COPIED = c_void_p(-1)  # SQLITE_TRANSIENT: SQLite copies what it is given
LARGEST = 2**31 - 1  # bytes of a result
CALL = CFUNCTYPE(None, c_void_p, c_int, POINTER(c_void_p))
END = CFUNCTYPE(None, c_void_p)
SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "sqlite3_libversion_number": (c_int, []),
    "sqlite3_sourceid": (c_char_p, []),
    "sqlite3_create_function_v2": (
        c_int, [c_void_p, c_char_p, c_int, c_int, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p],
    ),
    "sqlite3_aggregate_context": (c_void_p, [c_void_p, c_int]),
    "sqlite3_value_type": (c_int, [c_void_p]),
    "sqlite3_value_int64": (c_int64, [c_void_p]),
    "sqlite3_value_double": (c_double, [c_void_p]),
    "sqlite3_value_text": (c_void_p, [c_void_p]),
    "sqlite3_value_blob": (c_void_p, [c_void_p]),
    "sqlite3_value_bytes": (c_int, [c_void_p]),
    "sqlite3_result_null": (None, [c_void_p]),
    "sqlite3_result_int64": (None, [c_void_p, c_int64]),
    "sqlite3_result_double": (None, [c_void_p, c_double]),
    "sqlite3_result_text": (None, [c_void_p, c_char_p, c_int, c_void_p]),
    "sqlite3_result_blob": (None, [c_void_p, c_char_p, c_int, c_void_p]),
    "sqlite3_result_error": (None, [c_void_p, c_char_p, c_int]),
    TOO_BIG: (None, [c_void_p]),
    NO_MEMORY: (None, [c_void_p]),
}  # fmt: skip


class Unavailable(Exception):
    """This connection's functions can only be registered the ordinary way."""


class Function(NamedTuple):
    """A SQL function. `call` gets values as sqlite3 gives them (None, int, float, str, bytes) and returns one."""

    name: str
    arguments: int
    call: Callable[..., Any]
    deterministic: bool = True


class Aggregate(NamedTuple):
    """A SQL aggregate. `start` makes what has `step(*values)` and `finalize()`."""

    name: str
    arguments: int
    start: Callable[[], Any]


def register(
    connection: sqlite3.Connection, functions: Sequence[Function | Aggregate], told: Callable[[BaseException], str]
) -> list[object]:
    """Register scalar functions and aggregates; what comes back has to live as long as the connection.

    Parameters
    ----------
    told : the sentence for an exception

    Raises
    ------
    Unavailable : nothing was registered
    sqlite3.OperationalError : SQLite refuses, since a statement that uses one of them is under way
    """
    library = _library() if isinstance(connection, sqlite3.Connection) else None
    handle = _handle(connection) if library is not None else None
    if not handle:
        raise Unavailable
    made = _Callbacks(library, told)
    for each in functions:
        code = made.create(handle, each)
        if code:
            _kept().append(made)  # some of them are in use by now
            raise sqlite3.OperationalError(
                f"{each.name} cannot be registered now (SQLite error {code}); end open queries first"
            )
    return [made]


@cache
def _kept() -> list[object]:
    """What must outlive its connection."""
    return []


class _Callbacks:
    """Functions as SQLite calls them. Nothing can be raised through SQLite, so whatever is raised becomes its error."""

    def __init__(self, library: Any, told: Callable[[BaseException], str]) -> None:
        self._sqlite = library
        self._told = told
        self._alive: list[object] = []  # SQLite holds their addresses alone
        self._states: dict[int, Any] = {}  # of aggregates under way
        self._numbers = count(1)

    def create(self, handle: int, each: Function | Aggregate) -> int:
        """Register one; SQLite's code, 0 where it went well."""
        flags, step, final = UTF8 | DETERMINISTIC | INNOCUOUS, None, None
        call = None
        if isinstance(each, Aggregate):
            step, final = CALL(self._step(each.start)), END(self._final())
        else:
            call = CALL(self._scalar(each.call))
            flags = flags if each.deterministic else UTF8
        self._alive += [call, step, final]
        pointers = [None if each is None else ctypes.cast(each, c_void_p) for each in (call, step, final)]
        code: int = self._sqlite.sqlite3_create_function_v2(
            handle, each.name.encode(), each.arguments, flags, None, *pointers, None
        )
        return code

    def _scalar(self, function: Callable[..., Any]) -> Callable[[int, int, Any], None]:
        def call(context: int, number: int, values: Any) -> None:
            try:
                self._give(context, function(*[self._value(values[at]) for at in range(number)]))
            except BaseException as error:
                self._fail(context, error)

        return call

    def _step(self, start: Callable[[], Any]) -> Callable[[int, int, Any], None]:
        def call(context: int, number: int, values: Any) -> None:
            try:
                place = c_int64.from_address(self._sqlite.sqlite3_aggregate_context(context, 8))
                if not place.value:
                    place.value = next(self._numbers)
                    self._states[place.value] = start()
                self._states[place.value].step(*[self._value(values[at]) for at in range(number)])
            except BaseException as error:
                self._fail(context, error)

        return call

    def _final(self) -> Callable[[int], None]:
        def call(context: int) -> None:
            try:
                place = self._sqlite.sqlite3_aggregate_context(context, 0)  # NULL where no row came
                state = self._states.pop(c_int64.from_address(place).value, None) if place else None
                self._give(context, None if state is None else state.finalize())
            except BaseException as error:
                self._fail(context, error)

        return call

    def _value(self, value: int) -> Any:
        sqlite = self._sqlite
        match sqlite.sqlite3_value_type(value):
            case 4:
                start = sqlite.sqlite3_value_blob(value)
                return string_at(start, sqlite.sqlite3_value_bytes(value)) if start else b""
            case 3:
                start = sqlite.sqlite3_value_text(value)
                return string_at(start, sqlite.sqlite3_value_bytes(value)).decode("utf-8", "replace") if start else ""
            case 1:
                return sqlite.sqlite3_value_int64(value)
            case 2:
                return sqlite.sqlite3_value_double(value)
        return None

    def _give(self, context: int, result: Any) -> None:
        sqlite = self._sqlite
        if isinstance(result, float):
            sqlite.sqlite3_result_double(context, result)
        elif isinstance(result, int):
            sqlite.sqlite3_result_int64(context, result)
        elif isinstance(result, str | bytes):
            data = result.encode("utf-8", "replace") if isinstance(result, str) else result
            if len(data) > LARGEST:
                getattr(sqlite, TOO_BIG)(context)
                return
            give = sqlite.sqlite3_result_text if isinstance(result, str) else sqlite.sqlite3_result_blob
            give(context, data, len(data), COPIED)
        else:
            sqlite.sqlite3_result_null(context)

    def _fail(self, context: int, error: BaseException) -> None:
        if isinstance(error, MemoryError):
            getattr(self._sqlite, NO_MEMORY)(context)
            return
        self._sqlite.sqlite3_result_error(context, self._told(error).encode("utf-8", "replace"), -1)
        if isinstance(error, KeyboardInterrupt):
            _raise_again()


def _raise_again() -> None:
    """Ctrl-C in the middle of a function: nothing can be raised through SQLite, so it comes once the query has ended."""
    import _thread
    from threading import Timer

    Timer(0.05, _thread.interrupt_main).start()


def _handle(connection: sqlite3.Connection) -> int | None:
    """The `sqlite3 *` of a connection: the first thing after what every Python object has. None once it is closed."""
    return c_void_p.from_address(id(connection) + object.__basicsize__).value


@cache
def _library() -> Any:
    """The SQLite that the module `sqlite3` uses; None where that cannot be told for sure."""
    if sys.implementation.name != "cpython" or not _handles_are_where_we_look():
        return None
    import _sqlite3

    origin = getattr(_sqlite3, "__file__", None)
    if origin is None:
        return None
    # the module's own dependencies are searched with it, but not on Windows, where the library lies beside it
    for path in (origin, str(Path(origin).with_name("sqlite3.dll"))):
        try:
            library = ctypes.CDLL(path)
            for name, (result, arguments) in SIGNATURES.items():
                function = getattr(library, name)
                function.restype, function.argtypes = result, arguments
        except (OSError, AttributeError):
            continue
        return library if _is_the_one(library) else None
    return None


def _is_the_one(library: Any) -> bool:
    """Whether a library is the build of SQLite that the module answers with."""
    connection = sqlite3.connect(":memory:")
    try:
        (source,) = connection.execute("SELECT sqlite_source_id()").fetchone()
    finally:
        connection.close()
    return bool(library.sqlite3_sourceid() == source.encode())


def _handles_are_where_we_look() -> bool:
    """Two open connections have different handles there, and a closed one has none. Reads the memory of these objects alone."""
    if sqlite3.Connection.__basicsize__ < object.__basicsize__ + ctypes.sizeof(c_void_p):
        return False
    one, other = sqlite3.connect(":memory:"), sqlite3.connect(":memory:")
    opened = {_handle(one), _handle(other)}
    one.close()
    other.close()
    return len(opened) == 2 and None not in opened and _handle(one) is None and _handle(other) is None

"""Mail: messages and mailboxes in, one text a message out, with who wrote to whom. Attachments are named, not read."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from email import policy
from email.parser import BytesParser
from typing import TYPE_CHECKING, Any

from ..core.errors import Error, UnreadableSource
from .charsets import decode_declared
from .extracts import LARGEST, Extract, bytes_of, known, sign
from .markup import read_markup

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from email.message import EmailMessage
    from pathlib import Path

HEADERS = ("from", "to", "cc", "message-id", "in-reply-to")
LINE = 1 << 20  # bytes; a longer one comes in parts
HEADER = re.compile(rb"[!-9;-~]+:|>From ")
QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)  # how a mailbox writes lines of a message that begin so


def read_eml(path: Path, encodings: Sequence[str] = ()) -> Iterator[Extract]:
    """The one document that a message is.

    Raises
    ------
    UnreadableSource : it is no message, or its text cannot be decoded
    MissingExtra : it is written in HTML alone, and lxml is not installed
    """
    data = bytes_of(path)
    other = sign(data[:1024])
    if other:
        raise UnreadableSource(f"it is not a message but {other}; rename it")
    if data.strip() and not any(HEADER.match(line) for line in data.lstrip()[:4096].splitlines()[:2]):
        raise UnreadableSource("it is not a message: it does not begin with headers")
    yield _extract(data, encodings)


def read_mbox(path: Path, encodings: Sequence[str] = ()) -> Iterator[Extract]:
    """The messages of a mailbox, in their order: `part` is `#` and the message's own id, or a hash of it where it has none.

    A second message of an id gets `#2` behind it.

    Raises
    ------
    UnreadableSource : it is no mailbox
    """
    seen: dict[str, int] = {}
    for data in _messages(path):
        name = _name(data)
        seen[name] = seen.get(name, 0) + 1
        part = f"#{name}" if seen[name] == 1 else f"#{name}#{seen[name]}"
        try:
            yield _extract(data, encodings)._replace(part=part)
        except Error as error:
            yield Extract(None, {}, part, str(error))
        except Exception as error:
            yield Extract(None, {}, part, f"it cannot be read as a message ({type(error).__name__})")


def _messages(path: Path) -> Iterator[bytes]:
    """The messages of a mailbox as they are read from it; a mailbox of many GB needs the memory of one message.

    Not `mailbox.mbox`: it opens the file for writing, and takes any line that begins with "From " for a new message. Here,
    an empty line must be before it and a header after it.
    """
    lines: list[bytes] = []
    size, empty = 0, True
    with path.open("rb") as file:
        first = file.readline(LINE)
        if first.strip() and not first.startswith(b"From "):
            raise UnreadableSource(f"it is not a mailbox but {sign(first) or 'something else'}: it does not begin with 'From '")
        pending = first
        while line := file.readline(LINE):
            if pending.startswith(b"From ") and empty and HEADER.match(line):
                if lines:
                    yield b"".join(lines)
                lines, size = [], 0
            elif size < LARGEST:  # the rest of a message of gigabytes is its attachments
                lines.append(pending)
                size += len(pending)
            empty, pending = not pending.strip(), line
        lines.append(pending)
    if any(line.strip() for line in lines) and first.strip():
        yield b"".join(lines)


def _name(data: bytes) -> str:
    """The id of a message: its Message-ID, the same wherever it is kept."""
    head = re.split(rb"\r?\n\r?\n", data[:65536], maxsplit=1)[0]
    found = re.search(rb"^message-id:\s*<?([^\s<>]+)", head, re.IGNORECASE | re.MULTILINE)
    if found:
        return found[1].decode("utf-8", "replace")
    return f"md5-{hashlib.md5(data, usedforsecurity=False).hexdigest()[:16]}"


def _extract(data: bytes, encodings: Sequence[str]) -> Extract:
    message: Any = BytesParser(policy=policy.default).parsebytes(QUOTED_FROM.sub(rb"\1", data))
    subject = _header(message, "subject")
    body = _body(message, encodings)
    text = f"# {subject}\n\n{body}".strip() if subject else body
    names = [name for part in message.walk() if (name := _file_name(part))]
    headers = {name.replace("-", "_"): _header(message, name) for name in HEADERS}
    ids = {name: headers.pop(name).strip("<>") for name in ("message_id", "in_reply_to")}
    metadata = known(type="mail", subject=subject, date=_date(message), attachments=names, **headers, **ids)
    return Extract(text, metadata)


def _header(message: EmailMessage, name: str) -> str:
    """A header on one line, decoded. Of some that are against the rules, at which the library fails, what is written there."""
    written = next((str(value) for key, value in message.raw_items() if key.lower() == name), "")
    try:
        value = str(message.get(name, ""))
    except Exception:
        value = written
    if not written.isascii():  # as it came, which the rules forbid: in the encoding of the text, most likely
        charsets = (part.get_content_charset() for part in message.walk() if part.get_content_maintype() == "text")
        with suppress(UnreadableSource):
            value = decode_declared(written.encode("utf-8", "surrogateescape"), next(charsets, None))
    return " ".join(value.replace("\0", "").split())


def _date(message: EmailMessage) -> str | None:
    """When it was sent, in ISO 8601 with the sender's zone; what cannot be read as a date is none."""
    from email.utils import parsedate_to_datetime

    with suppress(ValueError, TypeError, IndexError, OverflowError):
        return parsedate_to_datetime(_header(message, "date")).isoformat()
    return None


def _file_name(part: EmailMessage) -> str:
    try:
        return " ".join((part.get_filename() or "").split())
    except Exception:  # a file name encoded against the rules
        return "(unreadable name)"


def _body(part: EmailMessage, encodings: Sequence[str]) -> str:
    """The text of a message: all that is shown in it, of alternatives the plain one or else the first that says something."""
    if part.get_content_disposition() == "attachment":
        return ""
    kind = part.get_content_type()
    if part.get_content_maintype() == "multipart":
        inner: Any = part.get_payload() if part.is_multipart() else []  # a string where it has no parts
        if kind == "multipart/alternative":
            inner = sorted(inner, key=lambda each: each.get_content_type() != "text/plain")
            return next(filter(None, (_body(each, encodings) for each in inner)), "")
        return "\n\n".join(filter(None, (_body(each, encodings) for each in inner)))
    if kind not in ("text/plain", "text/html"):
        return ""
    payload = part.get_payload(decode=True)
    text = decode_declared(payload if isinstance(payload, bytes) else b"", part.get_content_charset(), encodings)
    return read_markup(text).text if kind == "text/html" else text.strip()

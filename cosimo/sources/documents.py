"""Documents: a file that is no plain text in, what its reader makes of it out. Knows endings and readers; reads none itself.

Every reader takes a path and encodings and gives `Extract`s; each is imported when the first file of its kind comes.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from ..core import registry
from ..core.errors import ConfigError, Error, UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from .extracts import Extract

READERS = {  # ending of a name → what reads such files
    ".pdf": "cosimo.sources.pdf:read_pdf",
    ".html": "cosimo.sources.webpages:read_page",
    ".htm": "cosimo.sources.webpages:read_page",
    ".xhtml": "cosimo.sources.webpages:read_page",
    ".docx": "cosimo.sources.word_files:read_docx",
    ".epub": "cosimo.sources.epub:read_epub",
    ".ipynb": "cosimo.sources.notebooks:read_notebook",
    ".eml": "cosimo.sources.mail:read_eml",
    ".mbox": "cosimo.sources.mail:read_mbox",
}
SAID = 120  # characters of what a package says about a file that it cannot read


def is_document(name: str) -> bool:
    """Whether there is a reader for files of this name."""
    return PurePosixPath(name).suffix.lower() in READERS


def extracts(path: Path, encodings: Sequence[str] = ()) -> Iterator[Extract]:
    """What a file says: one text, or of a mailbox one a message.

    Parameters
    ----------
    path : a file of which `is_document` is true
    encodings : tried after UTF-8 and after what the file declares, before one is detected

    Raises
    ------
    UnreadableSource : it cannot be read; the message is a reason without the file's name
    OSError : the system does not give it
    """
    read = registry.load(READERS[path.suffix.lower()])
    try:
        yield from read(path, encodings)
    except ConfigError as error:  # a package is missing: the pip line is the reason
        raise UnreadableSource(str(error)) from error
    except (Error, OSError):
        raise
    except RecursionError as error:
        raise UnreadableSource("it is nested deeper than anything people write") from error
    except MemoryError as error:
        raise UnreadableSource("it needs more memory than there is") from error
    except Exception as error:  # packages fail at damaged files in every way there is: the file is named, the run goes on
        said = " ".join(str(error).split())[:SAID]
        raise UnreadableSource(
            f"it is damaged, or written in a way its reader does not know ({said or type(error).__name__})"
        ) from error

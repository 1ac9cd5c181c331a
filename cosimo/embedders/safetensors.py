"""Safetensors: a file of named arrays → numpy views on the mapped file. Reads only what is touched; writes nothing.

The format is eight bytes of header length, a JSON header, and raw little-endian arrays
(https://github.com/huggingface/safetensors#format). These forty lines spare a dependency and, unlike the package's
numpy loader, copy nothing: OpenVINO is handed the pages of the file.
"""

from __future__ import annotations

import json
import mmap
from typing import TYPE_CHECKING, Any

from ..core.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I8": "<i1", "U8": "<u1"}


def read(path: Path) -> dict[str, NDArray[Any]]:
    """Every array of the file by name. bfloat16, which numpy lacks, comes back as float32.

    Raises
    ------
    ConfigError : not a safetensors file, or one that is cut short
    """
    try:
        with path.open("rb") as file:
            # a private mapping: OpenVINO takes no read-only memory, and nobody ever writes to it
            pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        start = 8 + int.from_bytes(pages[:8], "little")
        header = json.loads(pages[8:start])
        return {name: _array(pages, start, entry) for name, entry in header.items() if name != "__metadata__"}
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, MemoryError) as error:
        raise ConfigError(f"{path} is not a safetensors file, or is cut short; fetch the model again") from error
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error


def _array(pages: mmap.mmap, start: int, entry: dict[str, Any]) -> NDArray[Any]:
    import numpy as np

    begin, end = entry["data_offsets"]
    kind = np.dtype(_TYPES[entry["dtype"]])
    flat = np.frombuffer(pages, kind, count=(end - begin) // kind.itemsize, offset=start + begin)
    if entry["dtype"] == "BF16":  # the upper half of a float32
        flat = (flat.astype(np.uint32) << 16).view(np.float32)
    return flat.reshape(entry["shape"])

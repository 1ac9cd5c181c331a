"""Network: a model file (ONNX, TFLite, OpenVINO): arrays in, vectors out. Says what the file has; knows no contents."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cached_property
from mmap import ACCESS_READ, mmap
from queue import SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import config
from ..core.errors import ConfigError
from . import weights
from .ahead import ahead
from .engine import chosen, compiled, cores, fingerprint, openvino, settings_of
from .towers import is_there

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ..core.types import Vectors
    from .towers import Table

_LOCATION = re.compile(rb"\x0a\x08location\x12([\x01-\x7f].{1,127})", re.DOTALL)  # where ONNX names a file of weights
POOLS = ("", "mean", "cls")
OUTPUTS = (  # taken where a file has several and none was named
    "image_embeds", "text_embeds", "audio_embeds", "sentence_embedding", "embedding", "embeddings", "pooler_output",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Input:
    """An input of a file. Sizes that are not fixed are None."""

    index: int
    name: str
    sizes: tuple[int | None, ...] | None  # None: not even how many there are
    kind: str  # of number: f32, f16, u8, i64, …


class Network:
    """A model file, of which one output is wanted. Threads may share it.

    Parameters
    ----------
    table : of the TOML, from which `output` and `pool` are taken
    path : the model file
    precision, threads : as for the engine

    Raises
    ------
    ConfigError : not a model, no such output, an output that is no vector
    """

    def __init__(self, table: Table, path: Path, *, precision: str, threads: int | None = None) -> None:
        self.path, self.files = path, _files(path)
        self._table, self._precision, self._threads = table, precision, threads
        self._wanted, self._pool = table.port("output"), table.text("pool", among=POOLS)
        model = self._model = self._read()  # let go of before it is compiled: both together would be the peak of memory
        self._shape = model.outputs[0].get_partial_shape()
        self.inputs = [_input(index, each) for index, each in enumerate(model.inputs)]
        self.unbatched = False  # whether the input takes one content: the rows that come out are then its parts
        self.channels_last = False  # whether a picture's channels come last, as in TFLite; a tower that knows says so
        self._compiling = Lock()

    @cached_property
    def dim(self) -> int:
        """The length of the vectors.

        Raises
        ------
        ConfigError : an output that is no vector and is not pooled, or of a length that is known when it runs only
        """
        sizes, shape = _sizes(self._shape), self._shape.to_string()
        if sizes is None:
            raise self._table.wrong("output", f"is of no known shape in {self.path}; name another one")
        wide = sizes[1] if len(sizes) == 4 and not self.channels_last else sizes[-1] if sizes else None
        single = len(sizes) <= 2 or all(size == 1 for size in self._inner(sizes))
        if not single and not self._pool:
            raise self._table.wrong(
                "output",
                f'is {shape} in {self.path}, not one vector each; write pool = "mean", or name another output',
            )
        if len(sizes) not in (2, 3, 4) or wide is None:
            raise self._table.wrong("output", f"is {shape} in {self.path}, not (batch, dim); name another output")
        return wide

    def input(self, wanted: str | int | None, key: str = "input") -> Input:
        """The input of this name or number; the only one where none was named.

        Raises
        ------
        ConfigError : there is none of that name, or several and none was named
        """
        if wanted is None and len(self.inputs) == 1:
            return self.inputs[0]
        for each in self.inputs:
            if wanted in (each.name, each.index):
                return each
        said = "has to be named" if wanted is None else f"is {wanted!r}, which is not there"
        raise self._table.wrong(key, f"{said}: the inputs of {self.path} are {self.told()}")

    def told(self) -> str:
        """The names of the inputs, for a message."""
        return ", ".join(repr(each.name) for each in self.inputs)

    def run(self, jobs: Sequence[Sequence[int]], prepared: Callable[[Sequence[int]], dict[int, NDArray[Any]]], out: Vectors,
            mask: int | None = None) -> None:  # fmt: skip
        """Write the vector of each content into `out`, (n, dim) float32.

        Contents are prepared while others are computed: twice as many batches are under way as there are processors.

        Parameters
        ----------
        jobs : the numbers of the contents of each batch
        prepared : numbers → arrays for the inputs, by their index; called in several threads
        mask : the input that says which tokens are there, for the mean of tokens
        """
        if self.dim != out.shape[1]:
            raise ConfigError(f"{self.path} gives vectors of length {self.dim}, not {out.shape[1]}")
        with self._compiling:
            idle = self._idle

        def work(job: Sequence[int]) -> tuple[Sequence[int], Vectors]:
            arrays = prepared(job)
            request = idle.get()
            try:
                found = request.infer(arrays, share_inputs=True, share_outputs=True)[0]
                return job, self._vectors(found, arrays.get(mask) if mask is not None else None)[: len(job)]
            except RuntimeError as error:
                raise ConfigError(f"{self.path} cannot be computed with these inputs: {_reason(error)}") from error
            finally:
                idle.put(request)

        for places, vectors in ahead(work, jobs, 2 * self.threads):
            out[list(places)] = vectors

    def batches(self, count: int, most: int, fixed: int | None) -> list[range]:
        """The numbers 0 … count in batches of up to `most`, less where every processor can have some; or of what is fixed."""
        size = fixed or max(1, min(most, -(-count // (2 * self.threads))))
        return [range(start, min(start + size, count)) for start in range(0, count, size)]

    @property
    def threads(self) -> int:
        """Batches computed at the same time, each on a processor."""
        return self._threads or cores()

    def close(self) -> None:
        """Let go of the compiled model; the next content compiles it again."""
        self.__dict__.pop("_idle", None)

    def _inner(self, sizes: Sequence[int | None]) -> Sequence[int | None]:
        """The sizes between batch and channels."""
        return sizes[1:-1] if len(sizes) != 4 or self.channels_last else sizes[2:]

    def _vectors(self, found: NDArray[Any], mask: NDArray[Any] | None) -> Vectors:
        """(batch, dim), whatever shape the output has; copied, since the request goes on to another batch."""
        if self.unbatched:
            found = found.reshape(-1, found.shape[-1]).mean(axis=0, keepdims=True, dtype=np.float32)
        if found.ndim == 4:
            found = found.mean(axis=(1, 2) if self.channels_last else (2, 3), dtype=np.float32)
        elif found.ndim == 3 and self._pool == "mean" and mask is not None:
            there = mask[:, : found.shape[1], None].astype(np.float32)
            found = (found * there).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
        elif found.ndim == 3:
            found = found[:, 0] if self._pool == "cls" else found.mean(axis=1, dtype=np.float32)
        return np.array(found, np.float32)

    def _read(self) -> Any:
        """The model, from its inputs to the output that is wanted."""
        try:
            model = openvino().Core().read_model(str(self.path))
        except RuntimeError as error:
            raise ConfigError(f"{self.path} is no model that OpenVINO reads: {_reason(error)}") from error
        wanted = _output(self._table, self.path, model, self._wanted)
        return openvino().Model([wanted], _before(wanted, model), self.path.stem)

    def _taken(self) -> Any:
        """The model, for the last time; read once more where it was closed since, or where what was compiled is damaged."""
        model, self._model = self._model, None
        return self._read() if model is None else model

    @cached_property
    def _idle(self) -> SimpleQueue[Any]:
        core, precision = openvino().Core(), chosen(self._precision)
        settings = settings_of(precision, self.threads)
        parts = ([weights.remembered(file) for file in self.files], "" if self._wanted is None else str(self._wanted))
        path = config.compiled_dir() / f"{self.path.stem}-{fingerprint(parts, settings, core)}.blob"
        if path.exists():
            self._model = None
        try:
            model = compiled(core, path, self._taken, settings)
        except RuntimeError as error:
            raise ConfigError(f"{self.path} cannot be run by OpenVINO: {_reason(error)}") from error
        idle: SimpleQueue[Any] = SimpleQueue()
        for _ in range(self.threads):
            idle.put(model.create_infer_request())
        return idle


def filled(array: NDArray[Any], fixed: int | None) -> NDArray[Any]:
    """The batch as long as a file wants it, which takes so many rows and no fewer: the last row again."""
    missing = (fixed or 0) - len(array)
    return np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) if missing > 0 else array


def _reason(error: RuntimeError) -> str:
    """OpenVINO's own sentence, without the lines of its source that it came through."""
    return " ".join(str(error).split()).rpartition(".cpp:")[2].lstrip("0123456789: ")[:200]


def _files(path: Path) -> list[Path]:
    """The model file and those in which its weights lie apart from it."""
    if path.suffix.lower() == ".xml":
        apart = {path.with_suffix(".bin")}
    elif path.suffix.lower() == ".onnx" and path.stat().st_size:
        with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as pages:
            apart = {path.parent / os.fsdecode(found[1][1 : 1 + found[1][0]]) for found in _LOCATION.finditer(pages)}
    else:
        apart = set()
    return [path, *(each for each in sorted(apart) if is_there(each))]


def _input(index: int, port: Any) -> Input:
    return Input(index, port.get_any_name(), _sizes(port.get_partial_shape()), port.get_element_type().get_type_name())


def _sizes(shape: Any) -> tuple[int | None, ...] | None:
    if shape.rank.is_dynamic:
        return None
    return tuple(size.get_length() if size.is_static else None for size in shape)


def _output(table: Table, path: Path, model: Any, wanted: str | int | None) -> Any:
    """The output of this name or number, or a node in the middle of that name, such as the last layer before the classes."""
    names = [[*port.get_names(), port.get_node().get_friendly_name()] for port in model.outputs]
    if wanted is None:
        likely = [port for name in OUTPUTS for port, own in zip(model.outputs, names, strict=True) if name in own]
        if len(model.outputs) == 1 or likely:
            return _source(likely[0] if likely else model.outputs[0])
    elif isinstance(wanted, int):
        if 0 <= wanted < len(model.outputs):
            return _source(model.outputs[wanted])
    else:
        for port, own in zip(model.outputs, names, strict=True):
            if wanted in own:
                return _source(port)
        for node in model.get_ordered_ops():
            for port in node.outputs():
                if wanted in port.get_names() or (wanted == node.get_friendly_name() and node.get_output_size() == 1):
                    return port
    said = "has to be named" if wanted is None else f"is {wanted!r}, which is not there"
    there = ", ".join(
        repr(port.get_any_name() if port.get_names() else own[-1]) for port, own in zip(model.outputs, names, strict=True)
    )
    raise table.wrong("output", f"{said}: the outputs of {path} are {there}")


def _before(wanted: Any, model: Any) -> list[Any]:
    """The inputs on which an output depends: where both towers are in one file, texts have no part in that of pictures."""
    seen, rest = set(), [wanted.get_node()]
    while rest:
        node = rest.pop()
        if node.get_friendly_name() not in seen:
            seen.add(node.get_friendly_name())
            rest += [port.get_node() for port in node.input_values()]
    return [each for each in model.get_parameters() if each.get_friendly_name() in seen]


def _source(port: Any) -> Any:
    """What an output gives out: a model's outputs are nodes of their own behind it."""
    node = port.get_node()
    return node.input_value(0) if node.get_type_name() == "Result" else port

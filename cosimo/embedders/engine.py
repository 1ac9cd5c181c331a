"""Engine: batches of token ids → vectors, through OpenVINO. Keeps compiled models on disk; knows nothing of text."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from queue import SimpleQueue
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import config
from ..core.errors import ConfigError
from . import batches, bert, graph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future

    from numpy.typing import NDArray

    from ..core.types import Vectors
    from .recipe import Recipe

_NOT_COMPILED = ("NUM_STREAMS", "INFERENCE_NUM_THREADS")  # may differ from when a model was compiled
_HINTS = {"float32": "f32", "bf16": "bf16", "int8": "f32"}


def openvino() -> Any:
    """The package, without two things that its import brings.

    Its telemetry looks up a Google Analytics host and writes into ~/intel. Its converter takes half of the import's
    120 ms; whoever shares the process and asks for `openvino.convert_model` gets it then.
    """
    if "openvino" not in sys.modules:
        blocked: dict[str, Any] = {"openvino_telemetry": None, "openvino.tools.ovc": None}
        blocked = {name: None for name in blocked if name not in sys.modules}
        sys.modules.update(blocked)
        try:
            import openvino
        finally:
            for name in blocked:
                del sys.modules[name]
        openvino.__getattr__ = _converter
    import openvino

    # its first use makes a table: two threads that are the first wait for each other for ever (2026.4)
    openvino.Type.f32.to_dtype()

    return openvino


def _converter(name: str) -> Any:
    """`openvino.convert_model`, imported when somebody asks for it."""
    if name != "convert_model":
        raise AttributeError(f"module 'openvino' has no attribute '{name}'")
    from openvino.tools.ovc import convert_model

    return convert_model


def has_bf16() -> bool:
    """True where the processor multiplies bf16 natively; OpenVINO would imitate it elsewhere, slowly."""
    return "BF16" in openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def chosen(precision: str) -> str:
    """`auto` as what this processor does best.

    Raises
    ------
    ConfigError : this processor lacks the precision
    """
    if precision == "auto":
        return "bf16" if has_bf16() else "float32"
    if precision == "bf16" and not has_bf16():
        raise ConfigError("this processor computes no bf16 of its own; use float32 or int8")
    return precision


def settings_of(precision: str, threads: int) -> dict[str, Any]:
    """What OpenVINO is told: the arithmetic, and a batch on each of so many processors."""
    return {
        "INFERENCE_PRECISION_HINT": _HINTS[precision],
        "NUM_STREAMS": threads,  # two threads on one batch were 12% slower than two batches
        "INFERENCE_NUM_THREADS": threads,
    }


class Engine:
    """One compiled model. Threads may share it: batches of all calls go to whichever stream is free.

    Not OpenVINO's own queue of requests, which one thread at a time can wait for: a server's calls are of a batch or two, and
    left all streams but one idle.

    Parameters
    ----------
    recipe, revision : the model, and the SHA-256 of its weights
    precision : auto (bf16 where the processor has it, else float32), float32, bf16 or int8
    threads : processors to use, a batch on each; None for all

    Raises
    ------
    ConfigError : this processor lacks the precision; weights that do not fit
    """

    def __init__(self, recipe: Recipe, revision: str, *, precision: str, threads: int | None = None) -> None:
        core, precision = openvino().Core(), chosen(precision)
        threads = threads or cores()
        settings = settings_of(precision, threads) | {
            # The fused attention kernel was 25-40% slower than matrix products and a softmax on short texts and 3-10% on
            # long ones, and takes 40 ms more to load.
            "SNIPPETS_MODE": "DISABLE",
        }
        if precision == "int8":
            settings["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = 32
        path = config.compiled_dir() / f"{recipe.folder.name}-{fingerprint(_parts(recipe, revision), settings, core)}.blob"
        self._model = compiled(core, path, lambda: graph.build(recipe, int8=precision == "int8"), settings)
        self._count = threads
        self._idle: SimpleQueue[Any] = SimpleQueue()
        for _ in range(threads):
            self._idle.put(self._model.create_infer_request())
        self._room = BoundedSemaphore(2 * threads)  # batches that run or wait: one more for each stream, made while it computes
        self._streams = ThreadPoolExecutor(threads, "cosimo-stream")

    def run(self, rows: Iterable[tuple[list[int], list[list[int]]]], out: Vectors) -> None:
        """Write the vector of each text into `out`, (n, dim).

        `rows` gives (positions in `out`, token ids of each); batches are started while it is still being read.
        """
        begun: list[Future[None]] = []
        try:
            for places, ids in rows:
                lengths = [len(values) for values in ids]
                for group in batches.plan(lengths, self._budget(sum(lengths))):
                    inputs = batches.stacked([ids[member] for member in group])
                    self._room.acquire()
                    begun.append(self._streams.submit(self._compute, inputs, out, [places[member] for member in group]))
        finally:
            wait(begun)  # they write into the caller's array
        for batch in begun:
            batch.result()

    def _budget(self, tokens: int) -> int:
        """Tokens a batch: less where there are few, so that every stream has some."""
        return min(batches.BUDGET, max(batches.LEAST, tokens // self._count))

    def _compute(self, inputs: tuple[Any, Any], out: Vectors, places: list[int]) -> None:
        request = self._idle.get()
        try:
            out[places] = request.infer(inputs, share_inputs=True, share_outputs=True)[0]
        finally:
            self._idle.put(request)
            self._room.release()


def cores() -> int:
    """Processors this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _parts(recipe: Recipe, revision: str) -> tuple[Any, ...]:
    """All that decides what a compiled model computes, the text of our own graphs included."""
    return (
        [Path(str(module.__file__)).read_bytes() for module in (graph, bert)],
        revision,
        recipe.weights.name,
        recipe.pooling,
        recipe.dense,
        recipe.normalized,
        sorted(recipe.config.items(), key=str),
    )


def fingerprint(parts: tuple[Any, ...], settings: dict[str, Any], core: Any) -> str:
    """Sixteen letters that change with anything a compiled model depends on: what it computes, how, and on what."""
    how = [(name, value) for name, value in settings.items() if name not in _NOT_COMPILED]
    machine = (openvino().__version__, core.get_property("CPU", "FULL_DEVICE_NAME"))
    return hashlib.sha256(repr((parts, how, machine)).encode()).hexdigest()[:16]


def compiled(core: Any, path: Path, build: Callable[[], Any], settings: dict[str, Any]) -> Any:
    """The model from the disk, or built, compiled and left there for the next process."""
    ready = _opened(path)
    if ready is not None:
        try:
            return core.import_model(openvino().Tensor(ready), "CPU", settings)
        except RuntimeError:  # made by another build of OpenVINO, or for another processor: compile again
            path.unlink(missing_ok=True)
    model = core.compile_model(build(), "CPU", settings)
    _keep(path, model.export_model().getvalue())
    return model


def _opened(path: Path) -> NDArray[np.uint8] | None:
    """The pages of a kept model, or None where there is none or its sum is wrong: OpenVINO loads damage unnoticed."""
    try:
        pages = np.memmap(path, np.uint8, mode="c")
    except (OSError, ValueError):  # not there, not readable, or empty
        return None
    body, end = pages[:-8], pages[-8:]
    return body if len(pages) % 8 == 0 and _sum(body) == int.from_bytes(end.tobytes(), "little") else None


def _sum(body: NDArray[np.uint8]) -> int:
    """Sum of the 64-bit words: 12 ms for 90 MB where a SHA-256 takes 80; the enemy is a full disk, not a forger."""
    return int(body.view(np.uint64).sum(dtype=np.uint64)) ^ len(body)


def _keep(path: Path, blob: bytes) -> None:
    """Leave a compiled model for the next process. A folder that cannot be written costs that process a second, no more."""
    body = np.frombuffer(blob + bytes(-len(blob) % 8), np.uint8)
    part = path.with_name(f"{path.stem}-{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(body.data)
            file.write(_sum(body).to_bytes(8, "little"))
        part.replace(path)
    except OSError as error:
        logging.getLogger(__name__).info("compiled model not kept in %s: %s", path.parent, error)
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)

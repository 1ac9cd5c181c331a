"""Photographs per second: cosimo's `openvino:` beside sentence-transformers with the same towers; how well decoding overlaps.

    python benchmarks/media.py ../shared/data [--pictures 2000] [--layers 12] [--only openvino collection]

The photographs are those of `clothing/`, cut at random places and enlarged to 2 to 12 million pixels; of a few hundred, each
comes again with another comment inside, so that none is embedded once for two. The model has the shape of CLIP ViT-B/32 and
random weights (`--layers 12`), which cost as much as trained ones; as Optimum exports it, and as sentence-transformers has it.
Each contender is a process of its own, of which the peak memory is that of the process. What it prints of overlap:

decode      all photographs decoded and resized, on all processors; nothing is computed
infer       all of them computed, from pixels that are there already
in turn     a batch is decoded, then computed, and so on: the wall clock that overlap saves from
openvino    what `Embedder.embed` does; busy is the share of all processors' time that it uses
collection  the same through `Collection.add`: files read, thumbnails made, rows written

Nothing is asserted: a timed test fails on a busy machine.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

DISTINCT = 200  # photographs that are made
SIDES = (1_000, 1_730, 2_450, 3_000)  # pixels of the shorter side, for 2 to 12 million
AT_ONCE = 64  # photographs handed over in one call: about what a batch of `Collection.add` holds
RUNS = ("decode", "infer", "in turn", "openvino", "collection", "sentence-transformers")


def make_photographs(data: Path, folder: Path, count: int) -> None:
    """Large JPEG files, each with bytes of its own."""
    from PIL import Image

    folder.mkdir()
    rng, sources = np.random.default_rng(0), sorted((data / "clothing").glob("*/*.jpg"))
    made: list[bytes] = []
    for number in range(min(count, DISTINCT)):
        picture = Image.open(sources[number * 7 % len(sources)]).convert("RGB")
        left, top = (int(rng.integers(0, side // 10)) for side in picture.size)
        picture = picture.crop((left, top, left + picture.width * 9 // 10, top + picture.height * 9 // 10))
        scale = SIDES[number % len(SIDES)] / min(picture.size)
        large = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BICUBIC)
        large.save(folder / "part.jpg", quality=88)
        made.append((folder / "part.jpg").read_bytes())
    (folder / "part.jpg").unlink()
    for number in range(count):
        comment = f"{number:08d}".encode()
        body = made[number % len(made)]
        (folder / f"{number:05d}.jpg").write_bytes(body[:2] + b"\xff\xfe\x00\x0a" + comment + body[2:])


def make_towers(folder: Path, layers: int) -> None:
    """One model of random weights, for both runtimes."""
    import train_towers
    from transformers import CLIPConfig, CLIPModel

    text = {"vocab_size": len(train_towers.WORDS), "max_position_embeddings": train_towers.WINDOW, "num_hidden_layers": 1}
    shape = CLIPConfig(text_config=text | {"eos_token_id": 1, "bos_token_id": 0}, vision_config={"num_hidden_layers": layers})
    model = CLIPModel(shape).eval()
    train_towers.save_for_sentence_transformers(model, folder / "st")
    train_towers.save_as_onnx(model, folder / "onnx")


def groups(photographs: Path) -> Iterator[list[bytes]]:
    """The files, some at a time."""
    paths = sorted(photographs.glob("*.jpg"))
    for start in range(0, len(paths), AT_ONCE):
        yield [path.read_bytes() for path in paths[start : start + AT_ONCE]]


def tower_of(model: Path) -> Any:
    """The picture tower, loaded and warm."""
    from cosimo.embedders.openvino import OpenVINOEmbedder

    embedder = OpenVINOEmbedder(str(model / "onnx"))
    embedder.embed([_grey()])
    return embedder


def _grey() -> bytes:
    import io

    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (64, 64), "grey").save(out, "PNG")
    return out.getvalue()


def decode(photographs: Path, model: Path) -> None:
    """Every photograph to pixels, in as many threads as there are processors."""
    tower = tower_of(model)._towers["image"]
    with ThreadPoolExecutor(tower._network.threads) as pool:
        for contents in groups(photographs):
            list(pool.map(lambda content: tower._pixels(content, 0), contents))


def infer(photographs: Path, model: Path) -> None:
    """The same number of pictures, of which the pixels are there."""
    tower = tower_of(model)._towers["image"]
    pixels = tower._pixels(_grey(), 0)
    tower._pixels = lambda *_: pixels
    for contents in groups(photographs):
        tower.embed(contents)


def in_turn(photographs: Path, model: Path) -> None:
    """First all pixels of some, on all processors; then their vectors."""
    tower = tower_of(model)._towers["image"]
    read = tower._pixels
    with ThreadPoolExecutor(tower._network.threads) as pool:
        for contents in groups(photographs):
            pixels = list(pool.map(lambda content: read(content, 0), contents))
            tower._pixels = lambda _, place, ready=pixels: ready[place]
            tower.embed(contents)


def openvino(photographs: Path, model: Path) -> None:
    """What a user has of it."""
    embedder = tower_of(model)
    for contents in groups(photographs):
        embedder.embed(contents)


def collection(photographs: Path, model: Path) -> None:
    """The whole way, from files to rows."""
    import cosimo

    with tempfile.TemporaryDirectory() as folder, cosimo.open(Path(folder) / "a.db") as db:
        db.collection("photographs", model=f"openvino:{model / 'onnx'}").add(
            cosimo.read(photographs, "*.jpg"), store=False, progress=lambda _: None
        )


def peer(photographs: Path, model: Path) -> None:
    """sentence-transformers' own `encode`, given Pillow's pictures."""
    import io

    from PIL import Image
    from sentence_transformers import SentenceTransformer

    loaded = SentenceTransformer(str(model / "st"))
    for contents in groups(photographs):
        loaded.encode([Image.open(io.BytesIO(content)).convert("RGB") for content in contents], show_progress_bar=False)


TASKS: tuple[Callable[[Path, Path], None], ...] = (decode, infer, in_turn, openvino, collection, peer)
WORK = dict(zip(RUNS, TASKS, strict=True))


def measured(name: str, photographs: Path, model: Path) -> dict[str, float]:
    """Seconds, the share of all processors' time that was used, and megabytes at the peak, of a process of its own."""
    code = [sys.executable, __file__, "--run", name, str(photographs), str(model)]
    done = subprocess.run(code, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def run(name: str, photographs: Path, model: Path) -> None:
    """What such a process does."""
    from cosimo.embedders.engine import cores

    start, used = time.perf_counter(), time.process_time()
    WORK[name](photographs, model)
    wall = time.perf_counter() - start
    print(json.dumps({"seconds": wall, "busy": (time.process_time() - used) / wall / cores(), "peak": peak()}))


def peak() -> float:
    """Megabytes. Not `ru_maxrss` on Linux, which a process has from the one that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) / 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)


def main() -> None:
    """Make photographs and towers, run every contender, print a table."""
    if len(sys.argv) > 1 and sys.argv[1] == "--run":
        run(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("data", type=Path)
    parser.add_argument("--pictures", type=int, default=2_000)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--only", nargs="*", default=RUNS, choices=RUNS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        photographs, model = Path(work) / "photographs", Path(work) / "model"
        make_photographs(given.data, photographs, given.pictures)
        make_towers(model, given.layers)
        size = sum(path.stat().st_size for path in photographs.iterdir()) / 1e6
        print(f"{given.pictures:,} photographs of 2 to 12 million pixels, {size:,.0f} MB, {given.layers} layers\n")
        print(f"{'':22} {'seconds':>8} {'a second':>9} {'busy':>6} {'peak MB':>8}")
        found: dict[str, dict[str, float]] = {}
        for name in given.only:
            each = found[name] = measured(name, photographs, model)
            rate = given.pictures / each["seconds"]
            print(f"{name:22} {each['seconds']:8.1f} {rate:9.1f} {each['busy']:6.0%} {each['peak']:8,.0f}", flush=True)
    if {"decode", "infer", "in turn", "openvino"} <= set(found):
        wall = {name: each["seconds"] for name, each in found.items()}
        ours, both = wall["openvino"], wall["decode"] + wall["infer"]
        print(f"\nopenvino takes {ours / both:.2f} of decode and infer one after the other, ", end="")
        print(f"{ours / max(wall['decode'], wall['infer']):.2f} of the longer, {ours / wall['in turn']:.2f} of in turn")


if __name__ == "__main__":
    main()

"""The example that finds clothes: by photograph, by words, by both, within a category, and more like one."""

from __future__ import annotations

import json
import shutil
import threading
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode
from urllib.request import urlopen

import pytest

import cosimo

pytest.importorskip("onnx", reason="its model is learned and written by the test: pip install onnx")
from train_pictures import held_out, photographs, train

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

EXAMPLE = Path(__file__).parents[2] / "examples" / "clothing-finder"
CATEGORIES = ("hat", "pants", "shoes", "t-shirt")
pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def finder() -> ModuleType:
    """The script itself."""
    spec = spec_from_file_location("finder", EXAMPLE / "finder.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs that the model was not learned from, and one file that is none."""
    folder = tmp_path_factory.mktemp("photographs")
    for path, category in photographs(data / "clothing").items():
        if category in CATEGORIES and held_out(path):
            (folder / category).mkdir(exist_ok=True)
            (folder / category / path.name).write_bytes(path.read_bytes())
    (folder / "hat" / "broken.jpg").write_text("<html>no photograph")
    return folder


@pytest.fixture(scope="module")
def model(data: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model of pictures alone."""
    learned_from = {path: label for path, label in photographs(data / "clothing").items() if not held_out(path)}
    return f"openvino:{train(learned_from, tmp_path_factory.mktemp('model'))}"


@pytest.fixture
def asked(finder: ModuleType, folder: Path, model: str, home: Path, minilm: Path) -> Iterator[str]:
    """The address of the page; the collection answers words too, by a map into the space of a model of texts."""
    with cosimo.open(":memory:") as db:
        photos = finder.fill(db, folder, model)
        captions = db.collection("captions", model=str(minilm))
        captions.add(cosimo.Document(row.id, f"a photograph of {row.id.partition('/')[0]}") for row in photos.rows())
        db.align("words", "clothing", "captions")
        photos.migrate("align:words")
        with finder.Finder(photos, 0) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_port}"
            server.shutdown()


def found(address: str, photo: bytes = b"", **asked: str) -> list[str]:
    with urlopen(f"{address}/find?{urlencode(asked)}", data=photo) as reply:
        return [hit["id"] for hit in json.load(reply)]


def share(ids: list[str], category: str) -> float:
    return sum(id.startswith(f"{category}/") for id in ids) / len(ids)


def test_photographs_are_found_in_every_way_the_page_offers(asked: str, folder: Path) -> None:
    with urlopen(f"{asked}/categories") as reply:
        assert json.load(reply) == sorted(CATEGORIES)
    shoe = min((folder / "shoes").iterdir())
    by_photo = found(asked, shoe.read_bytes())
    assert by_photo[0] == f"shoes/{shoe.name}"
    assert share(by_photo[1:6], "shoes") > 0.5
    assert share(found(asked, text="shoes")[:5], "shoes") > 0.5
    assert share(found(asked, category="hat"), "hat") == 1
    more = found(asked, like=by_photo[0])
    assert by_photo[0] not in more
    assert share(more[:5], "shoes") > 0.5
    mixed = found(asked, shoe.read_bytes(), text="pants")
    assert mixed != by_photo
    assert "pants" in {id.partition("/")[0] for id in mixed}


def test_the_page_shows_small_photographs_and_says_what_is_wrong(asked: str, folder: Path) -> None:
    id = f"shoes/{min((folder / 'shoes').iterdir()).name}"
    with urlopen(f"{asked}/photo/{quote(id)}") as reply:
        assert reply.headers["Content-Type"] == "image/webp"
        assert reply.read(4) == b"RIFF"
    with urlopen(asked) as reply:
        assert b"Clothing finder" in reply.read()
    with pytest.raises(OSError, match="400") as refused:
        found(asked, b"no photograph")
    assert "reads text and" in json.load(refused.value)["error"]  # type: ignore[arg-type]


def test_a_second_start_embeds_nothing_and_forgets_what_is_gone(
    finder: ModuleType, folder: Path, model: str, home: Path, tmp_path: Path
) -> None:
    some = tmp_path / "some"
    shutil.copytree(folder / "hat", some / "hat")
    with cosimo.open(":memory:") as db:
        photos = finder.fill(db, some, model)
        count = len(photos)
        assert count == len(list((folder / "hat").iterdir())) - 1  # all but the one that is no photograph
        min((some / "hat").glob("*-*.jpg")).unlink()
        assert len(finder.fill(db, some, model)) == count - 1

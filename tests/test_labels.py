"""Labels: shares of labels given at query time, of pictures and of texts, in the library and on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import model_files as files
import numpy as np
import pytest
from model_files import BLUE, GREEN, picture

import cosimo
from cosimo import Document
from cosimo.core.errors import DataError, NotFound

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("onnx", reason="model files are written with onnx")
pytest.importorskip("PIL")


@pytest.fixture
def shop(tmp_path: Path, home: Path) -> Any:
    """Pictures of three colors, and a text."""
    shop = cosimo.open(tmp_path / "a.db").collection("shop", model=f"openvino:{files.both_towers(tmp_path / 'both')}")
    shop.add([Document("r", picture()), Document("b", picture(BLUE)), Document("g", picture(GREEN)), Document("t", "blue")])
    return shop


def test_labels_get_shares_as_softmax_of_scaled_cosines_has_them(shop: Any) -> None:
    found = shop.label(["red", "blue", "green"], scale=7.0)
    vectors = shop.embedder.embed([picture(), picture(BLUE), picture(GREEN), "blue"]).vectors
    names = shop.embedder.embed(["red", "blue", "green"]).vectors
    want = np.exp(7 * vectors @ names.T)
    want /= want.sum(axis=1, keepdims=True)
    assert [each.id for each in found] == ["r", "b", "g", "t"]
    assert [each.label for each in found] == ["red", "blue", "green", "blue"]
    assert np.allclose([[each.shares[name] for name in ("red", "blue", "green")] for each in found], want, atol=1e-3)
    assert [list(each.shares) for each in found] == [sorted(each.shares, key=lambda name: -each.shares[name]) for each in found]
    assert found[0].share == max(found[0].shares.values())
    sharp = shop.label(["red", "blue", "green"])[0].share
    assert sharp > found[0].share  # CLIP's 100


def test_labels_are_for_some_items_or_for_contents_from_elsewhere(shop: Any) -> None:
    assert [each.id for each in shop.label(["red", "blue"], ids=["g", "b"])] == ["g", "b"]
    assert [each.id for each in shop.label(["red", "blue"], prefix="r")] == ["r"]
    elsewhere = shop.label(["red", "blue"], contents=[picture((240, 0, 0)), "blue"])
    assert [(each.id, each.label) for each in elsewhere] == [("0", "red"), ("1", "blue")]
    template = shop.label(["red", "blue"], ids=["r"], template="a {} shoe", scale=5)[0].shares
    assert template["red"] < shop.label(["red", "blue"], ids=["r"], scale=5)[0].shares["red"]
    with pytest.raises(NotFound, match="no item 'x' with a vector"):
        shop.label(["red", "blue"], ids=["x"])
    with pytest.raises(DataError, match="give one of them"):
        shop.label(["red", "blue"], ids=["r"], prefix="r")
    with pytest.raises(DataError, match="content 0"):
        shop.label(["red", "blue"], contents=[picture()[:40]])
    for wrong in (0, -1, float("nan"), True, "much"):
        with pytest.raises(DataError, match="the scale of labels is a number above 0"):
            shop.label(["red", "blue"], scale=wrong)
    with pytest.raises(DataError):
        shop.label(["red"])


def test_a_model_that_says_its_scale_is_believed(tmp_path: Path, home: Path) -> None:
    files.both_towers(tmp_path)
    towers = '[image]\nfile = "vision_model.onnx"\n[text]\nfile = "text_model.onnx"\n'
    mild, usual = (
        cosimo.open(tmp_path / f"{n}.db").collection("c", model=described(tmp_path / f"{n}.toml", f"{scale}\n{towers}"))
        for n, scale in enumerate(("logit_scale = 3", ""))
    )
    for each in (mild, usual):
        each.add([Document("r", picture())])
    assert mild.label(["red", "blue"]) == mild.label(["red", "blue"], scale=3) != usual.label(["red", "blue"])
    assert usual.label(["red", "shoe"]) == usual.label(["red", "shoe"], scale=100)


def test_labels_of_texts_are_no_surer_than_names_of_classes(tmp_path: Path, home: Path) -> None:
    notes = cosimo.open(tmp_path / "a.db").collection("notes", model="fake:32")
    notes.add([Document("1", "sport"), Document("2", "weather")])
    found = notes.label(["sport", "weather"])
    assert [each.label for each in found] == ["sport", "weather"]
    assert found == notes.label(["sport", "weather"], scale=20)
    by_name = notes.classify(notes.learn_classes(names=["sport", "weather"], save=False))
    assert [each.share for each in found] == pytest.approx([each.confidence for each in by_name], abs=1e-5)


def described(path: Path, text: str) -> str:
    """The name of the model that a TOML describes."""
    path.write_text(text, encoding="utf-8")
    return f"openvino:{path}"


def test_the_command_prints_percentages(shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    from click.testing import CliRunner

    from cosimo.interfaces.cli import cli, output

    (tmp_path / "x.png").write_bytes(picture((250, 0, 0)))
    model, database = f"openvino:{tmp_path / 'both'}", str(tmp_path / "a.db")

    def run(*given: str) -> Any:
        return CliRunner().invoke(cli, ["classify", *given, "--labels", "red,blue,green"])

    lines = [json.loads(line) for line in run("shop", "-d", database, "--scale", "7").stdout.splitlines()]
    want = shop.label(["red", "blue", "green"], scale=7)
    assert [line["id"] for line in lines] == ["r", "b", "g", "t"]
    assert all(line["labels"] == pytest.approx(each.shares, abs=1e-5) for line, each in zip(lines, want, strict=True))
    for where in (["shop", "-d", database], ["-m", model]):  # with a collection, and without one
        for given, label in ((["-i", str(tmp_path / "x.png")], "red"), (["-c", "blue"], "blue")):
            assert next(iter(json.loads(run(*where, *given).stdout)["labels"])) == label
    done = run("shop", "-d", database, "--write", "color", "--min-confidence", "0.5", "--prefix", "g")
    assert (done.exit_code, shop.get("g").metadata["color"], "color" in shop.get("r").metadata) == (0, "green", False)
    commas = CliRunner().invoke(cli, ["classify", "-m", model, "-c", "red", "--labels", 'blue, "red, or so"\ngreen'])
    assert set(json.loads(commas.stdout)["labels"]) == {"red, or so", "blue", "green"}
    monkeypatch.setattr(output, "on_terminal", lambda: True)
    table = run("shop", "-d", database, "--scale", "7").stdout.splitlines()
    assert table[0].split() == ["share", "label", "then", "id"]
    assert table[1].startswith(f"{want[0].share:.1%}")
    assert table[1].split()[1] == "red"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--names", "a,b"], "Give either --labels or --names"),
        (["--method", "means"], "Give either --labels or --method"),
        (["--min-confidence", "0.5"], "--min-confidence goes with --write"),
    ],
)
def test_options_that_make_no_sense_with_labels_are_told(home: Path, given: list[str], said: str) -> None:
    from click.testing import CliRunner

    from cosimo.interfaces.cli import cli

    done = CliRunner().invoke(cli, ["classify", "shop", "--labels", "red,blue", *given])
    assert done.exit_code == 2
    assert said in done.stderr
    assert "--scale goes with --labels" in CliRunner().invoke(cli, ["classify", "shop", "--scale", "3"]).stderr


def test_the_route_gives_what_python_gives(shop: Any, tmp_path: Path) -> None:
    pytest.importorskip("fastapi", reason="needs the extra server")
    from serving import running

    want = [{"id": each.id, "labels": dict(each.shares)} for each in shop.label(["red", "blue"], scale=5)]
    with running(database=tmp_path / "a.db", read_only=True) as server:
        at = "/v1/collections/shop/label"
        assert server.post(at, {"labels": ["red", "blue"], "scale": 5}).json() == {"items": want, "count": 4}
        asked = {"labels": ["red", "blue"], "scale": 5, "limit": 1, "offset": 1}
        assert server.post(at, asked).json() == {"items": want[1:2], "count": 4}
        assert server.post(at, {"labels": ["red", "blue"], "scale": 5, "ids": ["g"]}).json()["items"] == want[2:3]
        assert server.post(at, {"labels": ["red"]}).status_code == 400
        assert server.post(at, {"labels": ["red", "blue"], "ids": ["x"]}).status_code == 404

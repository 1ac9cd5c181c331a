"""Two towers trained from nothing on drawn shapes: a tiny CLIP, as sentence-transformers saves one and as Optimum exports one.

A picture shows one shape; its caption says size, color and shape (`small red circle`). Some combinations are held out: the
towers never see them, though they see each word of theirs in others. Run as a script, it writes both folders:

    python tests/train_towers.py FOLDER
"""

from __future__ import annotations

import io
import json
import math
import sys
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

COLORS = {
    "red": (214, 40, 40), "orange": (247, 140, 20), "yellow": (240, 215, 30), "green": (40, 160, 60), "cyan": (40, 200, 210),
    "blue": (40, 70, 210), "purple": (130, 50, 170), "black": (20, 20, 20),
}  # fmt: skip
SHAPES = ("circle", "square", "triangle", "cross", "ring", "star")
SIZES = {"small": 0.2, "large": 0.38}  # of the picture's side, from the middle
STRAY = 5  # pixels that a shape may lie beside the middle
SIDE, SEEN = 64, 32  # pixels drawn, and pixels that the tower sees
SPECIAL = ("<|startoftext|>", "<|endoftext|>")
WORDS = (*SPECIAL, *SIZES, *COLORS, *SHAPES)
WINDOW, DIM = 8, 32
Combination = tuple[str, str, str]


def combinations() -> tuple[list[Combination], list[Combination]]:
    """(those to train on, those held out): each size of each shape is held out in one color or two."""
    everything = list(product(SIZES, COLORS, SHAPES))
    held = {
        (size, color, shape)
        for (at, size), (place, color), (number, shape) in product(enumerate(SIZES), enumerate(COLORS), enumerate(SHAPES))
        if (place + 3 * number + 4 * at) % 6 == 0
    }
    return [each for each in everything if each not in held], sorted(held)


def caption(combination: Combination) -> str:
    """`small red circle`."""
    return " ".join(combination)


def drawn(combination: Combination, rng: np.random.Generator) -> Image:
    """A picture of it: somewhere, on paper of some light grey, with noise."""
    from PIL import Image, ImageDraw

    size, color, shape = combination
    paper = int(rng.integers(200, 256))
    picture = Image.new("RGB", (SIDE, SIDE), (paper, paper, paper))
    half = SIDE * SIZES[size] * float(rng.uniform(0.9, 1.1))
    x, y = (float(each) for each in SIDE / 2 + rng.uniform(-STRAY, STRAY, 2))
    ink = tuple(int(each) for each in np.clip(np.array(COLORS[color]) + rng.integers(-15, 16, 3), 0, 255))
    _draw(ImageDraw.Draw(picture), shape, x, y, half, ink)
    noisy = np.asarray(picture, np.float32) + rng.normal(0, 6, (SIDE, SIDE, 3))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def png(picture: Image) -> bytes:
    """The picture as a file."""
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def _draw(pen: Any, shape: str, x: float, y: float, half: float, ink: tuple[int, ...]) -> None:
    box = (x - half, y - half, x + half, y + half)
    if shape == "circle":
        pen.ellipse(box, fill=ink)
    elif shape == "square":
        pen.rectangle(box, fill=ink)
    elif shape == "ring":
        pen.ellipse(box, outline=ink, width=max(2, round(half * 0.4)))
    elif shape == "cross":
        arm = half * 0.35
        pen.rectangle((x - half, y - arm, x + half, y + arm), fill=ink)
        pen.rectangle((x - arm, y - half, x + arm, y + half), fill=ink)
    else:
        count, inner = (3, 0.5) if shape == "triangle" else (5, 0.4)
        around = [(math.pi * at / count, half * (1.15 if at % 2 == 0 else 1.15 * inner)) for at in range(2 * count)]
        pen.polygon([(x + far * math.sin(turn), y - far * math.cos(turn)) for turn, far in around], fill=ink)


def tokenizer() -> Any:
    """A word a token, between the beginning and the end that CLIP has."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token=SPECIAL[1]))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single=f"{SPECIAL[0]} $A {SPECIAL[1]}", special_tokens=[(word, at) for at, word in enumerate(SPECIAL)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token=SPECIAL[0], eos_token=SPECIAL[1], pad_token=SPECIAL[1], unk_token=SPECIAL[1],
        model_max_length=WINDOW,
    )  # fmt: skip


def processor(side: int = SEEN) -> Any:
    """CLIP's own preparation of pictures, made smaller."""
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    return CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side})


def model() -> Any:
    """A CLIP of random weights."""
    from transformers import CLIPConfig, CLIPModel

    small = {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "hidden_act": "gelu"}
    text = {"vocab_size": len(WORDS), "max_position_embeddings": WINDOW}
    text |= {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    return CLIPModel(
        CLIPConfig(
            text_config={**small, **text, "num_hidden_layers": 1},
            vision_config={**small, "image_size": SEEN, "patch_size": 8, "num_hidden_layers": 2},
            projection_dim=DIM,
        )
    )


def trained(*, steps: int = 900, each: int = 40, seed: int = 0) -> Any:
    """The model, trained: every step shows a picture of every combination, and which caption is whose."""
    import torch

    torch.manual_seed(seed)
    rng, names = np.random.default_rng(seed), combinations()[0]
    pixels, found = _pictures(names, each, rng), model()
    ids = tokenizer()([caption(name) for name in names], return_tensors="pt")["input_ids"]
    optimizer = torch.optim.AdamW(found.parameters(), lr=2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps, pct_start=0.1)
    target = torch.arange(len(names))
    for _ in range(steps):
        shown = torch.from_numpy(pixels[target.numpy(), rng.integers(each, size=len(names))])
        logits = found(input_ids=ids, pixel_values=shown).logits_per_image
        loss = torch.nn.functional.cross_entropy(logits, target) + torch.nn.functional.cross_entropy(logits.T, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return found.eval()


def _pictures(names: list[Combination], each: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """(combinations, each, 3, SEEN, SEEN) as the tower is given them."""
    prepare = processor()
    rows = [prepare([drawn(name, rng) for _ in range(each)], return_tensors="np")["pixel_values"] for name in names]
    return np.stack(rows).astype(np.float32)


def save_for_sentence_transformers(found: Any, folder: Path) -> Path:
    """As `sentence-transformers/clip-ViT-B-32` lies on the hub."""
    inner = folder / "0_CLIPModel"
    found.save_pretrained(inner)
    tokenizer().save_pretrained(inner)
    processor(found.config.vision_config.image_size).save_pretrained(inner)
    modules = [{"idx": 0, "name": "0", "path": "0_CLIPModel", "type": "sentence_transformers.models.CLIPModel"}]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "config_sentence_transformers.json").write_text("{}")
    return folder


def save_as_onnx(found: Any, folder: Path) -> Path:
    """Both towers apart, as Hugging Face's Optimum exports CLIP."""
    import torch

    class Texts(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = found

        def forward(self, input_ids: Any) -> Any:
            return self.model.text_projection(self.model.text_model(input_ids=input_ids).pooler_output)

    class Pictures(Texts):
        def forward(self, pixel_values: Any) -> Any:
            return self.model.visual_projection(self.model.vision_model(pixel_values=pixel_values).pooler_output)

    folder.mkdir(parents=True, exist_ok=True)
    side = found.config.vision_config.image_size
    batch, length = torch.export.Dim("batch"), torch.export.Dim("length", max=WINDOW)
    for module, given, name, out, sizes in (
        (Texts(), torch.tensor([[0, 3, 5, 1]] * 2), "input_ids", "text_embeds", {0: batch, 1: length}),
        (Pictures(), torch.zeros(2, 3, side, side), "pixel_values", "image_embeds", {0: batch}),
    ):
        torch.onnx.export(
            module.eval(), (given,), folder / f"{out.replace('image', 'vision').removesuffix('_embeds')}_model.onnx",
            input_names=[name], output_names=[out], dynamic_shapes=(sizes,), dynamo=True, external_data=False, verbose=False,
        )  # fmt: skip
    found.config.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    processor(side).save_pretrained(folder)
    return folder


if __name__ == "__main__":
    made = trained()
    print(save_for_sentence_transformers(made, Path(sys.argv[1]) / "st"))
    print(save_as_onnx(made, Path(sys.argv[1]) / "onnx"))

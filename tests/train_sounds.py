"""Train sounds: a model that hears spoken digits, learnt from a speech synthesiser's voices in closed form, and its TOML.

Pieces of spectrograms of a tenth of a second are compared with 128 typical ones (k-means); which of them a second holds, on
average and at most, is turned so that digits lie apart (linear discriminants). Some seconds of one processor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from speech import spoken

from cosimo.embedders.mel import Mel

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ACCENTS, KINDS = ("en", "en-us", "en-gb-scotland", "en-gb-x-rp"), ("", "+m1", "+m4", "+f1", "+f4")
RATE = 22_050  # the synthesiser's
MEL = Mel(RATE, n_fft=512, hop=220, n_mels=40, f_min=80, f_max=7_600, window=512, log="ln", floor=1e-6)
TOML = """[audio]
rate = 22050
seconds = 1.0
mean_std = [{mean}, {std}]
[audio.mel]
n_fft = 512
hop = 220
n_mels = 40
f_min = 80
f_max = 7600
log = "ln"
floor = 1e-6
"""
WORDS, PIECE, STEP, SHARPNESS = 128, 10, 2, 0.2  # typical pieces; frames of one, and between two


class Learnt(NamedTuple):
    """What was learnt, all numbers of the model."""

    mean: float
    std: float
    words: NDArray[np.float64]  # (WORDS, PIECE · n_mels)
    away: NDArray[np.float64]  # (2 · WORDS,) taken away before the turn
    turn: NDArray[np.float64]  # (2 · WORDS, 9)


def train(folder: Path) -> Path:
    """Write `digits.xml` and `digits.toml`; the model's path comes back."""
    learnt = _learnt(*_examples(np.random.default_rng(0)))
    (folder / "digits.toml").write_text(TOML.format(mean=learnt.mean, std=learnt.std))
    _write(learnt, folder / "digits.xml")
    return folder / "digits.xml"


def _examples(dice: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(n, frames, n_mels) spectrograms of seconds that hold a digit somewhere, often a piece of another one too; (n,) which."""
    heard, digits = [], []
    for voice in (accent + kind for accent in ACCENTS for kind in KINDS):
        said = [
            spoken(digit, voice, speed=int(dice.integers(120, 180)), pitch=int(dice.integers(35, 65)))[0] for digit in DIGITS
        ]
        for digit, wave in enumerate(said):
            for _ in range(2):
                other = said[dice.integers(10)] if dice.random() < 0.7 else wave[:0]
                heard.append(MEL(_second(wave[:RATE], other, dice)))
                digits.append(digit)
    return np.array(heard, np.float64), np.array(digits)


def _second(wave: NDArray[np.float32], other: NDArray[np.float32], dice: np.random.Generator) -> NDArray[np.float32]:
    found = dice.standard_normal(RATE).astype(np.float32) * 1e-3
    at, gap = int(dice.integers(0, max(RATE - len(wave), 1))), RATE // 4
    found[at : at + len(wave)] += wave
    if at > gap:
        piece = other[-(at - gap) :]
        found[at - gap - len(piece) : at - gap] += piece
    else:
        piece = other[: max(RATE - at - len(wave) - gap, 0)]
        found[at + len(wave) + gap : at + len(wave) + gap + len(piece)] += piece
    return found * np.float32(dice.uniform(0.5, 1.5))


def _learnt(heard: NDArray[np.float64], digits: NDArray[np.int64]) -> Learnt:
    mean, std = float(heard.mean()), float(heard.std())
    starts = range(0, heard.shape[1] - PIECE + 1, STEP)
    pieces = np.stack([((heard - mean) / std)[:, at : at + PIECE].reshape(len(heard), -1) for at in starts], axis=1)
    words = _typical(pieces.reshape(-1, pieces.shape[-1]))
    near = SHARPNESS * (pieces @ words.T - (words**2).sum(axis=1) / 2)
    near = np.exp(near - near.max(axis=-1, keepdims=True))
    near /= near.sum(axis=-1, keepdims=True)
    held = np.concatenate([near.mean(axis=1), near.max(axis=1)], axis=1)  # (n, 2 · WORDS)
    away = held.mean(axis=0)
    centres = np.stack([held[digits == digit].mean(axis=0) for digit in range(10)])
    spread = np.cov((held - centres[digits]).T, bias=True)
    spread += np.eye(len(spread)) * 0.01 * np.trace(spread) / len(spread)
    white = np.linalg.cholesky(np.linalg.inv(spread))
    return Learnt(mean, std, words, away, white @ np.linalg.svd((centres - away) @ white, full_matrices=False)[2][:9].T)


def _typical(pieces: NDArray[np.float64]) -> NDArray[np.float64]:
    """k-means, eight rounds over some thousand pieces."""
    some = pieces[np.random.default_rng(0).choice(len(pieces), 6_000, replace=False)]
    words = some[:WORDS].copy()
    for _ in range(8):
        nearest = np.argmax(some @ words.T - (words**2).sum(axis=1) / 2, axis=1)
        for word in np.unique(nearest):
            words[word] = some[nearest == word].mean(axis=0)
    return words


def _write(learnt: Learnt, path: Path) -> None:
    """The same steps as an OpenVINO model: (n, n_mels, frames) spectrograms → (n, 9)."""
    import openvino
    from openvino import opset13 as ops

    frames = (RATE - 1) // MEL.hop + 1
    given = ops.parameter([-1, MEL.n_mels, frames], np.float32, name="mel")
    filters = learnt.words.reshape(WORDS, PIECE, MEL.n_mels).transpose(0, 2, 1).astype(np.float32)
    matched = ops.convolution(given, SHARPNESS * filters, [STEP], [0], [0], [1])
    lengths = SHARPNESS * (learnt.words**2).sum(axis=1).astype(np.float32)[None, :, None] / 2
    near = ops.softmax(ops.subtract(matched, np.float32(lengths)), 1)
    held = ops.concat([ops.reduce_mean(near, [2], False), ops.reduce_max(near, [2], False)], 1)
    turned = ops.matmul(ops.subtract(held, learnt.away.astype(np.float32)[None]), learnt.turn.astype(np.float32), False, False)
    openvino.save_model(openvino.Model([turned], [given], "digits"), path, compress_to_fp16=False)

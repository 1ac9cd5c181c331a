"""Speech: a text and a voice → samples, by the synthesiser eSpeak NG, whose library comes in a wheel of its own."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from numpy.typing import NDArray

SYNCHRONOUS, UTF8, CHARACTERS = 2, 1, 1  # of espeak-ng/speak_lib.h
SPEED, PITCH = 1, 3  # parameters


def spoken(text: str, voice: str = "en", *, speed: int = 150, pitch: int = 50) -> tuple[NDArray[np.float32], int]:
    """(samples without the silence around them, samples a second). Voices: en, en-us, en+f3, …; speed in words a minute."""
    library, rate, heard = _synthesiser()
    heard.clear()
    library.espeak_ng_SetRandSeed(1)  # else its breath is another one each time, and so is what is learnt from it
    library.espeak_SetVoiceByName(voice.encode())
    library.espeak_SetParameter(SPEED, speed, 0)
    library.espeak_SetParameter(PITCH, pitch, 0)
    said = text.encode()
    library.espeak_Synth(said, len(said) + 1, 0, CHARACTERS, 0, UTF8, None, None)
    library.espeak_Synchronize()
    wave = np.concatenate(heard).astype(np.float32) / 2**15
    loud = np.flatnonzero(np.abs(wave) > 0.01)
    return wave[loud[0] : loud[-1] + 1], rate


@cache
def _synthesiser() -> tuple[Any, int, list[NDArray[np.int16]]]:
    loader = pytest.importorskip("espeakng_loader", reason="the speech synthesiser comes with cosimo[test]")
    library = ctypes.CDLL(loader.get_library_path())
    rate = library.espeak_Initialize(SYNCHRONOUS, 0, str(loader.get_data_path()).encode(), 0)
    heard: list[NDArray[np.int16]] = []

    def hear(samples: Any, count: int, _events: Any) -> int:
        if samples and count > 0:
            heard.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    library.callback = kind(hear)  # kept alive with it
    library.espeak_SetSynthCallback(library.callback)
    return library, rate, heard

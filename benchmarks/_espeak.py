"""Speech with known times: sentences spoken by espeak-ng, which says itself when each word begins.

Debian's package `libespeak-ng1` brings the library. Voices are synthetic: what is measured on them is how well an
alignment finds word boundaries, not how well anything recognises speech.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xattn_viz.inputs.audio import Sound, read

_SYNCHRONOUS, _UTF8, _POS_CHARACTER = 2, 1, 1
_LIST_TERMINATED, _WORD, _END = 0, 1, 5


class _Identifier(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):  # espeak-ng/speak_lib.h, espeak_EVENT
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Identifier),
    ]


@dataclass(frozen=True)
class SpokenWord:
    """A word as it was spoken: its text, and when it began and ended, in seconds; None where that is not known."""

    text: str
    start: float | None
    end: float | None


class Speaker:
    """The synthesiser. It is one for the whole process, so use one of these at a time."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(ctypes.util.find_library("espeak-ng"))
        self._rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, None, 0)
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))
        self._samples: list[NDArray[np.int16]] = []
        self._events: list[tuple[int, int, int, float]] = []
        self._callback = kind(self._take)  # kept alive here: the library calls it
        self._library.espeak_SetSynthCallback(self._callback)

    def say(self, text: str, voice: str = "en-gb", words_a_minute: int = 160) -> tuple[Sound, list[SpokenWord]]:
        """The sound of a text, and its words parted by white space, punctuation included."""
        self._samples.clear()
        self._events.clear()
        self._library.espeak_SetVoiceByName(voice.encode())
        self._library.espeak_SetParameter(1, words_a_minute, 0)
        data = text.encode()
        self._library.espeak_Synth(data, len(data) + 1, 0, _POS_CHARACTER, 0, _UTF8, None, None)
        self._library.espeak_Synchronize()
        return read(np.concatenate(self._samples), self._rate), self._words(text)

    def _take(self, samples: ctypes._Pointer[ctypes.c_short], count: int, events: ctypes._Pointer[_Event]) -> int:
        if count > 0:
            self._samples.append(np.ctypeslib.as_array(samples, (count,)).copy())
        i = 0
        while events[i].type != _LIST_TERMINATED:
            event = events[i]
            self._events.append((event.type, event.text_position, event.length, event.audio_position / 1000))
            i += 1
        return 0

    def _words(self, text: str) -> list[SpokenWord]:
        """Each chunk of the text begins with the first event in it; its end is that of the next word or of a clause.

        Small words that are spoken as one with a neighbour ("on the") have no event of their own.
        """
        places, at = list[tuple[int, int]](), 0
        for chunk in text.split():
            at = text.index(chunk, at)
            places.append((at, at + len(chunk)))
            at += len(chunk)
        found = [
            [i for i, (kind, place, *_) in enumerate(self._events) if kind == _WORD and start < place <= end]
            for start, end in places
        ]
        words: list[SpokenWord] = []
        for n, (start, end) in enumerate(places):
            known = bool(found[n])
            later = (
                [time for kind, _, _, time in self._events[found[n][-1] + 1 :] if kind in (_WORD, _END)]
                if known
                else []
            )
            closed = known and (n + 1 == len(places) or bool(found[n + 1]))
            words.append(
                SpokenWord(
                    text[start:end],
                    self._events[found[n][0]][3] if known else None,
                    (later[0] if later else self._length) if closed else None,
                )
            )
        return words

    @property
    def _length(self) -> float:
        return float(sum(map(len, self._samples)) / self._rate)

"""Studio speech to a telephone announcement: band, level, ends, 8 kHz, and G.711 for the check.

Levels are in dBm0 as in `ringtrue::audio::level`: a full-scale sine is +3.14 dBm0.
"""

import wave
from pathlib import Path

import numpy as np
from scipy import signal

RATE = 8_000
OVERLOAD_DBM0 = 3.14
SPEECH_DBM0 = -20.0
PEAK_DBFS = -3.0

LEAD_SECONDS = 0.06
TAIL_SECONDS = 0.20
FADE_SECONDS = 0.008


def telephone(speech: np.ndarray, rate: int) -> np.ndarray:
    """A finished prompt at 8 kHz from speech at `rate`, a multiple of 8 kHz."""
    band = decimate(speech, rate)
    return level(frame(band))


def decimate(speech: np.ndarray, rate: int) -> np.ndarray:
    """To 8 kHz, with the telephone band's 300 to 3400 Hz flat; 90 dB down from 4 kHz.

    The low edge is gentle (half at 200 Hz), so that a voice keeps some warmth on lines that
    carry it.
    """
    factor, left = divmod(rate, RATE)
    if left:
        raise ValueError(f"{rate} Hz is no multiple of {RATE} Hz")
    low = signal.firwin(801, 200, fs=rate, pass_zero="highpass", window=("kaiser", 5.0))
    taps = int(np.ceil((90 - 7.95) / (14.36 * 600 / rate))) | 1
    high = signal.firwin(taps, 3_700, fs=rate, window=("kaiser", 0.1102 * (90 - 8.7)))
    both = np.convolve(low, high)
    return signal.fftconvolve(speech, both, mode="same")[::factor]


def frame(speech: np.ndarray) -> np.ndarray:
    """Speech between a short lead of silence and a longer tail, faded at both ends."""
    first, last = ends(speech)
    fade = int(FADE_SECONDS * RATE)
    margin = int(0.02 * RATE)
    first, last = max(0, first - margin), min(len(speech), last + margin)
    body = speech[first:last].copy()
    ramp = np.sin(np.linspace(0, np.pi / 2, fade)) ** 2
    body[:fade] *= ramp
    body[-fade:] *= ramp[::-1]
    lead, tail = int(LEAD_SECONDS * RATE) - margin, int(TAIL_SECONDS * RATE) - margin
    return np.concatenate([np.zeros(lead), body, np.zeros(tail)])


def ends(speech: np.ndarray) -> tuple[int, int]:
    """Where speech begins and ends: 10 ms windows within 38 dB of the loudest.

    That keeps the breath of an h or an f, and leaves out what noise the voice has between.
    """
    window = RATE // 100
    power = np.convolve(speech**2, np.ones(window) / window, mode="same")
    (loud,) = np.where(power > power.max() * 10 ** (-38 / 10))
    return int(loud[0]), int(loud[-1]) + 1


def active_dbfs(speech: np.ndarray) -> float:
    """Active speech level by ITU-T P.56 method B, in dB against a full-scale sine."""
    thresholds, margin, hangover = 15, 15.9, RATE // 5
    g = np.exp(-1 / (RATE * 0.03))
    once = signal.lfilter([1 - g], [1, -g], np.abs(speech))
    envelope = signal.lfilter([1 - g], [1, -g], once)
    square = float(np.sum(speech**2))
    before = None
    for exponent in range(-thresholds, 0):
        threshold = 2.0**exponent
        above = envelope >= threshold
        # Active while above and for the hangover after it.
        since = np.arange(len(speech)) - np.maximum.accumulate(
            np.where(above, np.arange(len(speech)), -10**9)
        )
        count = int(np.sum(since <= hangover))
        if count == 0:
            break
        active = 10 * np.log10(2 * square / count)
        distance = active - (20 * np.log10(threshold) + 10 * np.log10(2))
        if distance <= margin:
            if before is None:
                return active
            part = (before[1] - margin) / (before[1] - distance)
            return before[0] + (active - before[0]) * part
        before = (active, distance)
    if before is None:
        raise ValueError("nothing but silence")
    return before[0]


def level(speech: np.ndarray) -> np.ndarray:
    """At `SPEECH_DBM0`, no peak above `PEAK_DBFS`."""
    for _ in range(3):
        gain = SPEECH_DBM0 - OVERLOAD_DBM0 - active_dbfs(speech)
        speech = limit(speech * 10 ** (gain / 20))
    return speech


def limit(speech: np.ndarray) -> np.ndarray:
    """Lowers the gain smoothly, 5 ms either side of what would exceed the peak."""
    peak, reach = 10 ** (PEAK_DBFS / 20), RATE // 200
    size = 2 * reach + 1
    needed = np.minimum(1, peak / np.maximum(np.abs(speech), 1e-9))
    padded = np.pad(needed, reach, constant_values=1)
    least = np.lib.stride_tricks.sliding_window_view(padded, size).min(axis=1)
    smooth = np.convolve(np.pad(least, reach, mode="edge"), np.ones(size) / size, mode="valid")
    return speech * smooth


def write(path: Path, speech: np.ndarray) -> None:
    samples = np.clip(np.round(speech * 32_768), -32_768, 32_767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())


def read(path: Path) -> np.ndarray:
    with wave.open(str(path), "rb") as file:
        shape = (file.getnchannels(), file.getsampwidth(), file.getframerate())
        if shape != (1, 2, RATE):
            raise ValueError(f"{path}: channels, bytes and rate are {shape}, not (1, 2, {RATE})")
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2") / 32_768


def through_mulaw(speech: np.ndarray) -> np.ndarray:
    """What the far end hears: G.711 mu-law and back."""
    linear = np.clip(np.round(speech * 32_768), -32_635, 32_635).astype(np.int64)
    magnitude = np.abs(linear) + 132
    segment = np.floor(np.log2(magnitude)).astype(np.int64) - 7
    step = (magnitude >> (segment + 3)) & 15
    decoded = (((step << 3) + 132) << segment) - 132
    return np.sign(linear) * decoded / 32_768

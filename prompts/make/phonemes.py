"""Words to the phonemes that the Kokoro voices were trained on.

espeak-ng says how a word sounds; Kokoro's training wrote the same sounds in a shorthand of its own
(one letter for a diphthong or an affricate, no length marks in American English). The rules here
are that shorthand.
"""

import re
import subprocess

AFFRICATES = {"d^z": "ʣ", "d^ʒ": "ʤ", "t^s": "ʦ", "t^ʃ": "ʧ"}
DIPHTHONGS = {"a^ɪ": "I", "a^ʊ": "W", "e^ɪ": "A", "ɔ^ɪ": "Y", "o^ʊ": "O", "ə^ʊ": "Q"}
ENGLISH = {"ʲ": "", "ɚ": "əɹ", "r": "ɹ", "x": "k", "ç": "k", "ɐ": "ə", "ɬ": "l", "ə^l": "ᵊl"}
BRITISH = {"e^ə": "ɛː", "iə": "ɪə", "i^ə": "ɪə", "a": "a"}
AMERICAN = {"ɜːɹ": "ɜɹ", "ɜː": "ɜɹ", "ɪə": "iə", "ː": "", "ɾ": "T", "ʔ": "t"}

# Where a reader pauses; espeak-ng drops these, so each stretch between them goes through alone.
PAUSES = re.compile(r"\s*([.,;:!?])\s*")


def phonemes(text: str, language: str, better: dict[str, str]) -> str:
    """The phonemes of `text` in espeak-ng's `language`, with its punctuation.

    `better` replaces, after that, sounds that espeak-ng gets wrong or runs together.
    """
    written = ""
    for part in PAUSES.split(text):
        if PAUSES.fullmatch(part):
            written += part + " "
        elif part:
            written += espeak(part, language)
    for wrong, right in better.items():
        written = re.sub(rf"(?<!\S){re.escape(wrong)}(?=[\s.,;:!?]|$)", right, written)
    return written.strip()


def espeak(words: str, language: str) -> str:
    ipa = subprocess.run(
        ["espeak-ng", "-q", "-v", language, "--ipa", "--tie=^", words],
        check=True, capture_output=True, text=True,
    ).stdout
    sounds = " ".join(ipa.split())
    if re.search(r"\(.*?\)", sounds):
        raise ValueError(f"espeak-ng reads {words!r} as another language: {sounds}")
    return shorthand(sounds, language)


def shorthand(sounds: str, language: str) -> str:
    rules = [AFFRICATES, DIPHTHONGS]
    if language.startswith("en"):
        rules = [ENGLISH, AFFRICATES, DIPHTHONGS]
        rules.append(AMERICAN if language == "en-us" else BRITISH)
    for rule in rules:
        for long, short in rule.items():
            sounds = sounds.replace(long, short)
    return sounds.replace("^", "").replace("-", "")

"""Makes the recordings that Ringtrue comes with: `python make.py [LOCALE ...]`. See README.md."""

import argparse
import tomllib
from pathlib import Path

import kokoro
import telephone
from phonemes import phonemes

PROMPTS = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("locales", nargs="*", metavar="LOCALE", help="all of them without one")
    parser.add_argument("--out", type=Path, default=PROMPTS, help="instead of the folder above")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "ringtrue-prompts")
    arguments = parser.parse_args()
    voice = kokoro.Kokoro(arguments.cache)
    for wording in sorted(PROMPTS.glob("*/wording.toml")):
        locale = wording.parent.name
        if not arguments.locales or locale in arguments.locales:
            make(voice, wording, arguments.out / locale)


def make(voice: kokoro.Kokoro, wording: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    spoken = tomllib.loads(wording.read_text(encoding="utf-8"))
    better = spoken.get("sounds", {})
    for name, text in spoken["prompts"].items():
        alone = name.startswith("digit-")
        sounds = phonemes(text, spoken["espeak"], better)
        if alone and name[-1] in spoken["digits"]["carried"]:
            carrier = phonemes(spoken["digits"]["carrier"], spoken["espeak"], better) + " "
            speech = voice.say_after(carrier, sounds + ".", spoken["voice"], spoken["digits"]["speed"])
        else:
            speech, _ = voice.say(sounds, spoken["voice"], spoken["speed"])
        finished = telephone.telephone(speech, kokoro.RATE)
        telephone.write(folder / f"{name}.wav", finished)
        print(f"{folder.name}/{name}: {len(finished) / telephone.RATE:.2f} s  {sounds}", flush=True)


if __name__ == "__main__":
    main()

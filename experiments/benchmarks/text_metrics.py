"""Measure whether the metrics of text rank known texts: held-out lines, n-gram models and random characters.

    python -m experiments.benchmarks.text_metrics tinyshakespeare.txt

The program draws training lines and the same number of held-out lines from a text file, fits n-gram models to the
training lines, compares the training lines with each text, and prints a Markdown table.
"""

import lzma
import random
from collections.abc import Iterator
from pathlib import Path

import tyro

from jaxgan import metrics

_SHORTEST = 4  # number of characters of the shortest line that is used, the length of the longest n-grams


def main(path: tyro.conf.Positional[Path], count: int = 8000, seed: int = 0) -> None:
    """Print the metrics of known texts.

    Args:
      path: the text file, compressed with xz if its name ends in .xz.
      count: number of training lines, of held-out lines and of lines of each other text.
      seed: seed of the choice of lines and of the random characters.
    """
    with (lzma.open if path.suffix == ".xz" else open)(path, "rt", encoding="utf-8") as file:
        lines = [line for line in file.read().splitlines() if len(line) >= _SHORTEST]
    rng = random.Random(seed)
    rng.shuffle(lines)
    train, held_out = lines[:count], lines[count : 2 * count]
    print("| generated lines | JS-1 | JS-2 | JS-3 | JS-4 | BLEU | self-BLEU | cross-entropy |")
    print("|---" * 8 + "|")
    for name, fake, entropy in _known_texts(train, held_out, rng):
        divergences = " | ".join(f"{metrics.ngram_js(train, fake, n):.3f}" for n in range(1, 5))
        bleu, own = metrics.bleu(fake, train), metrics.self_bleu(fake)
        print(f"| {name} | {divergences} | {bleu:.3f} | {own:.3f} | {entropy} |", flush=True)


def _known_texts(train: list[str], held_out: list[str], rng: random.Random) -> Iterator[tuple[str, list[str], str]]:
    """Yield the name and the lines of each text, and for models their cross-entropy of the held-out lines in bits."""
    yield "held-out lines", held_out, ""
    for n in (6, 4, 3, 2, 1):
        model = metrics.NgramModel(train, n)
        yield f"model of {n}-grams", model.sample(len(train)), f"{model.cross_entropy(held_out):.3f}"
    characters = sorted(set("".join(train)))
    yield "random characters", ["".join(rng.choices(characters, k=len(line))) for line in held_out], ""


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)

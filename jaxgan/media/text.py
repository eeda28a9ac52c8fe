"""Lines of text: one-hot characters for the networks, text files, and n-grams as metrics."""

import dataclasses
import functools
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jaxgan import metrics
from jaxgan.core.files import writing_out
from jaxgan.data import Source, texts
from jaxgan.media.medium import Medium

if TYPE_CHECKING:  # evaluation is imported when it is used, so that training starts without it
    from jaxgan.evaluation.scores import AnyMetric, SampleStats

NGRAMS = (1, 2, 3, 4)  # lengths of the n-grams that are compared, in characters
MAX_LINES = 10_000  # largest number of lines to which n-gram models are fitted
_COARSE = 32  # number of the most frequent characters, and of random pairs of characters, of the quick score
_SEED = 0  # seed of the samples of n-gram models and of the pairs of characters


@dataclasses.dataclass(frozen=True)
class Text(Medium):
    """Lines of text with the same number of characters, see ``jaxgan.data.texts``.

    The source reads numbers of characters, [B, length]. Networks see a distribution over the characters in each
    position, [B, length, characters + 2]: one-hot vectors for the lines of the source. ``decode`` takes the most
    probable character of each position, and a line ends before its first end character.

    The metrics compare the n-grams of characters of the samples with those of the training lines:

    - ``ngram_js``: the Jensen-Shannon divergences ``js_1`` to ``js_4``; see ``jaxgan.metrics.ngram_js``.
    - ``ngram_baselines``: the same divergences for the test lines, ``js_4_test``, and for samples of n-gram models that
      are fitted to the training lines, ``js_4_unigram`` to ``js_4_4gram``.
    - ``self_bleu``: the self-BLEU of the samples and, as ``self_bleu_of_data``, of as many training lines.

    Attributes:
      characters: the vocabulary, the most frequent character first, without the end of a line and the unknown
        character.
      length: number of characters of a line.

    Raises:
      ValueError: if a character occurs twice or is a control character, or the length is below 1.
    """

    characters: str
    length: int

    name = "text"
    key = "text"
    noun = "lines"
    values = "the numbers of the characters of lines of text, and the lines"
    suffixes = (".txt", ".npz")
    tiles = False
    disclosed = "the characters that occur in the lines"
    default_metrics = ("ngram_js", "ngram_baselines", "self_bleu")

    def __post_init__(self):
        controls = any(unicodedata.category(character) in ("Cc", "Cs") for character in self.characters)
        if controls or len(set(self.characters)) < len(self.characters) or self.length < 1:
            raise ValueError(
                "`characters` must be different and no control characters, and `length` must be at least 1, got "
                f"{self.characters!r} and {self.length}."
            )

    @property
    def num_characters(self) -> int:
        """The number of different characters, with the end of a line and the unknown character."""
        return len(self.characters) + 2

    def check(self, source: Source) -> None:
        if source.shape != (self.length,):
            raise ValueError(
                f"{source.name} has examples of shape {list(source.shape)}, but this experiment takes lines of "
                f"{self.length} characters, [{self.length}]. Load them with jaxgan.data.texts.load."
            )

    def normalize(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        return {**batch, self.key: jax.nn.one_hot(batch[self.key], self.num_characters)}

    def decode(self, samples: np.ndarray) -> dict[str, np.ndarray]:
        numbers = np.asarray(samples).argmax(-1)
        ended = np.cumsum(numbers == texts.END, axis=-1) > 0
        dtype = np.uint8 if self.num_characters <= 256 else np.int32
        return {self.key: np.where(ended, texts.END, numbers).astype(dtype)}

    def lines(self, samples: np.ndarray) -> list[str]:
        """Return samples or normalised examples, [N, length, characters + 2], as strings."""
        return texts.decode(self.decode(samples)[self.key], self.characters)

    def view(self, samples: np.ndarray) -> str:
        return "\n".join(self.lines(samples))

    def coarse(self, examples: np.ndarray) -> np.ndarray:
        # The frequencies of the first characters, and random sums over pairs of adjacent characters.
        hard = np.eye(self.num_characters, dtype=np.float32)[self.decode(examples)[self.key]]
        rng = np.random.default_rng(_SEED)
        left, right = (rng.standard_normal((self.num_characters, _COARSE)).astype(np.float32) for _ in range(2))
        pairs = ((hard[:, :-1] @ left) * (hard[:, 1:] @ right)).mean(1)
        return np.concatenate([hard.mean(1)[:, :_COARSE], pairs], axis=1)

    def arrays(self, samples: np.ndarray) -> dict[str, np.ndarray]:
        return {**self.decode(samples), "lines": np.array(self.lines(samples))}

    def save(self, path: Path, samples: np.ndarray, made_by: str, labels: Any = None, **grid: Any) -> None:
        if path.suffix.lower() != ".txt":
            return super().save(path, samples, made_by, labels, **grid)
        with writing_out(path):
            path.write_text("".join(f"{line}\n" for line in self.lines(samples)), encoding="utf-8", newline="\n")

    @property
    def metrics(self) -> "Mapping[str, AnyMetric]":
        from jaxgan.evaluation.scores import Metric

        measures = {"ngram_js": _ngram_js, "ngram_baselines": _ngram_baselines, "self_bleu": _self_bleu}
        return {
            name: Metric(
                functools.partial(measure, self),
                needs=("arrays",),
                ranks_by={"ngram_js": "js_4", "ngram_baselines": "js_4_4gram"}.get(name, ""),
            )
            for name, measure in measures.items()
        }


def _strings(medium: Text, stats: "SampleStats") -> list[str]:
    return texts.decode(stats.arrays[medium.key], medium.characters)


def _divergences(real, fake, suffix=""):
    """Return the divergences of the n-grams. Without lines of n characters, a collection has none in common."""
    found = {}
    for n in NGRAMS:
        have = [any(len(line) >= n for line in lines) for lines in (real, fake)]
        found[f"js_{n}{suffix}"] = metrics.ngram_js(real, fake, n) if all(have) else float(have[0] != have[1])
    return found


def _ngram_js(medium, samples, data):
    return _divergences(_strings(medium, data), _strings(medium, samples))


def _ngram_baselines(medium, samples, data):
    real, found = _strings(medium, data), {}
    test = getattr(data.source, "test", None)
    if test is not None:
        held_out = texts.decode(test.read(np.arange(len(test)))[medium.key], medium.characters)
        found |= _divergences(real, held_out, "_test")
    fitted = real[:: -(-len(real) // MAX_LINES)]
    for n, name in zip(NGRAMS, ("unigram", "bigram", "trigram", "4gram")):
        model = metrics.NgramModel(fitted, n)
        drawn = model.sample(len(samples.source), seed=_SEED, max_length=medium.length)
        found |= _divergences(real, drawn, f"_{name}")
    return found


def _self_bleu(medium, samples, data):
    fake, real = _strings(medium, samples), _strings(medium, data)
    evenly = np.arange(min(len(fake), len(real))) * len(real) // min(len(fake), len(real))
    return {
        "self_bleu": metrics.self_bleu(fake),
        "self_bleu_of_data": metrics.self_bleu([real[i] for i in evenly]),
    }

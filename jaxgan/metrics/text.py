"""Compare texts: n-grams of two collections of strings, BLEU and self-BLEU, and an n-gram model as a baseline."""

import bisect
import itertools
import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from jaxgan.metrics.checks import as_texts

EPSILON = 0.1  # count that replaces a count of 0 in a precision of BLEU
START, END = "\x02", "\x03"  # characters that mark the start and the end of a string in an n-gram model


def ngram_js(real: Iterable[str], fake: Iterable[str], n: int) -> float:
    """Return the Jensen-Shannon divergence between the n-grams of characters of two collections of strings.

    The divergence is (KL(p || m) + KL(q || m)) / 2 with the logarithm of base 2. p and q are the relative frequencies
    of n-grams in the two collections, and m = (p + q) / 2. An n-gram lies within one string, and a character is a code
    point. Strings with fewer than n characters have no n-grams.

    The divergence of few strings is too large, because they contain few of the possible n-grams. Compare it with the
    divergence of the same number of held-out strings.

    >>> ngram_js(["ab"], ["ac"], 1)
    0.5

    Source: Gulrajani et al. 2017 (1704.00028), section 5.4 and ``language_helpers.py``. The authors pad strings to the
    same length and count the padding too.

    Args:
      real, fake: the real and the generated strings.
      n: length of the n-grams, at least 1. The authors use 1 to 4.

    Returns:
      The divergence, from 0 (equal frequencies) to 1 (no common n-gram); lower is better.

    Raises:
      ValueError: if ``n`` is below 1, if a collection is empty or contains other objects than strings, or if all of its
        strings are shorter than n characters.
    """
    _check_n(n)
    p, q = (_frequencies(as_texts(texts, name), name, n) for texts, name in ((real, "real"), (fake, "fake")))
    return (_divergence_from_mean(p, q) + _divergence_from_mean(q, p)) / 2


def bleu(
    fake: Iterable[str],
    references: Iterable[str],
    *,
    n: int = 4,
    tokenize: Callable[[str], Sequence[str]] = str.split,
) -> float:
    """Return the mean BLEU of generated strings, with all real strings as the references of each of them.

    BLEU is the geometric mean of the precisions of 1-grams to n-grams, multiplied by exp(1 - r / h) if the string has
    fewer tokens, h, than the reference with the closest number of tokens, r (the shorter one of two). The count of an
    n-gram is clipped to its largest count in a reference. If the clipped counts of a length sum to 0, the sum is
    replaced by 0.1 (smoothing method 1 of Chen and Cherry 2014, as in NLTK). The BLEU of a string without a token of
    any reference is 0.

    >>> round(bleu(["the cat sat"], ["the cat sat on the mat"], n=2), 4)
    0.3679

    Source: Papineni et al. 2002; Zhu et al. 2018 (1802.01886), Texygen.

    Args:
      fake: the generated strings.
      references: the real strings.
      n: length of the longest n-grams, at least 1. Texygen uses 2 to 5.
      tokenize: splits a string into tokens; by default, into words at white space. ``list`` splits it into characters.

    Returns:
      BLEU, from 0 to 1. Higher means that the strings consist of parts of real strings.

    Raises:
      ValueError: if ``n`` is below 1, or if a collection is empty or contains other objects than strings.
    """
    _check_n(n)
    fake, references = as_texts(fake, "fake"), as_texts(references, "references")
    pool = _References([tokenize(text) for text in references], n)
    scores = [_sentence_bleu(tokenize(text), pool, n) for text in fake]
    return math.fsum(scores) / len(scores)


def self_bleu(fake: Iterable[str], *, n: int = 4, tokenize: Callable[[str], Sequence[str]] = str.split) -> float:
    """Return the mean BLEU of each generated string with all other generated strings as the references.

    It measures the diversity of the strings. Its time is proportional to the number of tokens, so all strings can be
    used; Texygen uses 500 of them. It increases with the number of strings. See ``bleu`` for the definition of BLEU.

    >>> self_bleu(["a b c d", "a b c d"]), self_bleu(["a b", "c d"])
    (1.0, 0.0)

    Source: Zhu et al. 2018 (1802.01886), Texygen.

    Args:
      fake: the generated strings, at least 2.
      n: length of the longest n-grams, at least 1. Texygen uses 2 to 5.
      tokenize: splits a string into tokens; by default, into words at white space. ``list`` splits it into characters.

    Returns:
      The self-BLEU, from 0 to 1. Lower is more diverse. Compare it with the self-BLEU of the same number of real
      strings.

    Raises:
      ValueError: if ``n`` is below 1, or if there are fewer than 2 strings or other objects than strings.
    """
    _check_n(n)
    tokens = [tokenize(text) for text in as_texts(fake, "fake", least=2)]
    pool = _References(tokens, n)
    scores = [_sentence_bleu(own, pool, n, leave_out=True) for own in tokens]
    return math.fsum(scores) / len(scores)


class NgramModel:
    """A model of strings that predicts each character from the n - 1 characters before it.

    The prediction of n-grams is interpolated with the prediction of (n - 1)-grams, and so on, down to the uniform
    distribution over all known characters and the end of a string (Witten and Bell 1991):

      p(c | h) = (count(h c) + t(h) p(c | h')) / (count(h) + t(h))

    Here, h are the characters before c, h' is h without its first character, and t(h) is the number of different
    characters that follow h. No parameter has to be chosen.

    >>> model = NgramModel(["aab", "ab"], 2)
    >>> sorted(model.probabilities("a"))
    ['', 'a', 'b']
    >>> model.sample(3, seed=0)
    ['ab', 'ab', 'aaabb']

    Source: Witten and Bell 1991 (doi 10.1109/18.87000); Chen and Goodman 1998, section 2.6.

    Args:
      texts: the strings to which the model is fitted.
      n: number of characters of an n-gram, at least 1. A model with n = 1 ignores the characters before.

    Raises:
      ValueError: if ``n`` is below 1, or if ``texts`` is empty or contains other objects than strings, or the control
        characters STX or ETX.
    """

    def __init__(self, texts: Iterable[str], n: int):
        _check_n(n)
        self.n = n
        texts = as_texts(texts, "texts")
        self._counts: dict[str, Counter[str]] = {}
        for i, text in enumerate(texts):
            if START in text or END in text:
                raise ValueError(f"Element {i:,} (from 0) of `texts` contains the control character STX or ETX.")
        for size in range(1, n + 1):
            grams = Counter(
                padded[i : i + size]
                for padded in (START * (size - 1) + text + END for text in texts)
                for i in range(len(padded) - size + 1)
            )
            for gram, count in grams.items():
                self._counts.setdefault(gram[:-1], Counter())[gram[-1]] = count
        self._vocabulary = sorted(self._counts[""])
        self._cumulative: dict[str, list[float]] = {}
        self._known: dict[str, dict[str, float]] = {}

    def probabilities(self, history: str) -> dict[str, float]:
        """Return the probability of each next character, and of the end of the string as the key "".

        The probabilities are positive and their sum is 1.

        Args:
          history: the string so far. Only its last n - 1 characters matter.
        """
        found = dict(self._predict(self._context(history)))
        return {"": found.pop(END), **found}

    def cross_entropy(self, texts: Iterable[str]) -> float:
        """Return the mean of -log2 of the probabilities of the characters, in bits per character.

        The end of each string counts as a character. The cross-entropy is at least 0, and infinite if a character does
        not occur in the texts to which the model was fitted.

        Args:
          texts: the strings, for instance held-out ones.

        Raises:
          ValueError: if ``texts`` is empty or contains other objects than strings.
        """
        total, count = [], 0
        for text in as_texts(texts, "texts"):
            for i, character in enumerate(text + END):
                probability = self._predict(self._context(text[:i])).get(character, 0.0)
                total.append(-math.log2(probability) if probability else math.inf)
                count += 1
        return math.fsum(total) / count

    def sample(self, count: int, *, seed: int = 0, max_length: int = 1000) -> list[str]:
        """Return random strings.

        Args:
          count: number of strings, at least 0.
          seed: seed of the random choices.
          max_length: number of characters after which a string ends in any case.

        Raises:
          ValueError: if ``count`` or ``max_length`` is negative.
        """
        for name, number in (("count", count), ("max_length", max_length)):
            if number < 0:
                raise ValueError(f"`{name}` must be at least 0, got {number}.")
        draws = random.Random(seed)
        return [self._sample(draws, max_length) for _ in range(count)]

    def _sample(self, draws, max_length):
        text = []
        context = self._context("")
        while len(text) < max_length:
            cumulative = self._cumulative.get(context)
            if cumulative is None:
                cumulative = list(itertools.accumulate(self._predict(context).values()))
                self._cumulative[context] = cumulative
            position = bisect.bisect_right(cumulative, draws.random() * cumulative[-1])
            character = self._vocabulary[min(position, len(self._vocabulary) - 1)]
            if character == END:
                break
            text.append(character)
            context = (context + character)[1:]
        return "".join(text)

    def _context(self, history):
        size = self.n - 1
        return (START * size + history[-size:])[-size:] if size else ""

    def _predict(self, context):
        """Return the probability of each character of the vocabulary after a context of at most n - 1 characters."""
        if context not in self._known:
            if context:
                shorter = self._predict(context[1:])
            else:
                shorter = dict.fromkeys(self._vocabulary, 1 / len(self._vocabulary))
            following = self._counts.get(context)
            if following is None:
                return shorter  # not cached, so that unknown contexts need no memory
            kinds, total = len(following), following.total()
            self._known[context] = {c: (following[c] + kinds * p) / (total + kinds) for c, p in shorter.items()}
        return self._known[context]


def _check_n(n: int) -> None:
    if n < 1:
        raise ValueError(f"`n` must be at least 1, got {n}.")


def _count_ngrams(tokens, n):
    """Return the counts of the n-grams of a string, or of a sequence of tokens."""
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def _frequencies(texts, name, n):
    counts = Counter(text[i : i + n] for text in texts for i in range(len(text) - n + 1))
    if not counts:
        raise ValueError(f"All {len(texts):,} strings of `{name}` have fewer than {n} characters.")
    total = counts.total()
    return {ngram: count / total for ngram, count in counts.items()}


def _divergence_from_mean(p: Mapping[str, float], q: Mapping[str, float]) -> float:
    """Return KL(p || (p + q) / 2) in bits."""
    return max(math.fsum(x * math.log2(2 * x / (x + q.get(ngram, 0.0))) for ngram, x in p.items()), 0.0)


class _References:
    """Counts of the n-grams of all references, from which one reference can be left out.

    The two largest counts of an n-gram in a reference are stored. If the reference with the largest count is left out,
    the second largest count, which can be equal, is the largest one.
    """

    def __init__(self, references, n):
        self._lengths = sorted(map(len, references))
        self._largest: dict[tuple, tuple[int, int]] = {}
        for tokens in references:
            for size in range(1, n + 1):
                for ngram, count in _count_ngrams(tokens, size).items():
                    first, second = self._largest.get(ngram, (0, 0))
                    self._largest[ngram] = (count, first) if count > first else (first, max(second, count))

    def count_matches(self, counts, leave_out):
        """Return the sum of the clipped counts. ``leave_out``: the counts belong to a reference, which is left out."""
        matches = 0
        for ngram, count in counts.items():
            first, second = self._largest.get(ngram, (0, 0))
            matches += min(count, second if leave_out and count == first else first)
        return matches

    def closest_length(self, length, leave_out):
        """Return the closest length of a reference, and the shorter one of two."""
        i = bisect.bisect_left(self._lengths, length)
        skipped = 1 if leave_out else 0  # the reference that is left out is at position i
        near = [*self._lengths[max(i - 1, 0) : i], *self._lengths[i + skipped : i + skipped + 1]]
        return min(near, key=lambda x: (abs(x - length), x))


def _sentence_bleu(tokens, references, n, leave_out=False):
    logs = []
    for size in range(1, n + 1):
        counts = _count_ngrams(tokens, size)
        matches = references.count_matches(counts, leave_out)
        if size == 1 and not matches:
            return 0.0
        logs.append(math.log((matches or EPSILON) / max(counts.total(), 1)))
    brevity = min(1 - references.closest_length(len(tokens), leave_out) / len(tokens), 0.0)
    return math.exp(brevity + math.fsum(logs) / n)

"""Tests of the metrics of text, with hand counts, and with NLTK and a naive definition."""

import math

import pytest

from jaxgan.metrics import NgramModel, bleu, ngram_js, self_bleu

LINES = [
    "to be or not to be that is the question",
    "to be to be to be or not",
    "the lady doth protest too much methinks",
    "all the world is a stage and all the men and women merely players",
    "brevity is the soul of wit",
    "the the the the",
    "wit",
    "all that glisters is not gold",
]


def test_divergence_agrees_with_hand_counts():
    """Frequencies are (1/2, 1/2, 0) and (1/2, 0, 1/2) for a, b, c. Only b and c count, with log2(1/2 / 1/4) = 1."""
    assert ngram_js(["ab"], ["ac"], 1) == 0.5
    assert ngram_js(["ab", "ab"], ["ab"], 2) == 0
    assert ngram_js(["ab"], ["cd"], 1) == 1
    # p = (3/4, 1/4) and q = (1/4, 3/4), so that m = (1/2, 1/2).
    expected = 0.75 * math.log2(1.5) + 0.25 * math.log2(0.5)
    assert ngram_js(["aaab"], ["abbb"], 1) == pytest.approx(expected, rel=1e-12)
    # The 2-grams are aa and ab once, and ba: strings are not joined.
    assert ngram_js(["aab", "b"], ["aa", "ab"], 2) == 0


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_divergence_orders_texts(n):
    half = LINES[::2], LINES[1::2]
    upper = [line.upper() for line in LINES]
    shuffled = ["".join(sorted(line)) for line in LINES]
    assert ngram_js(LINES, LINES, n) == pytest.approx(0, abs=1e-12)
    assert 0 < ngram_js(*half, n) < 1 and ngram_js(*half, n) == pytest.approx(ngram_js(*half[::-1], n))
    assert ngram_js(LINES, [line.strip() for line in upper], n) > ngram_js(*half, n)
    if n > 1:
        assert ngram_js(LINES, shuffled, n) > ngram_js(LINES, LINES[1:], n)


def test_bleu_agrees_with_hand_counts():
    """The 1-grams "the the the" are clipped to 2 of 3. Of the 2-grams, none matches: 0.1 of 2."""
    assert bleu(["the the the"], ["the cat on the mat", "a b c"], n=1) == pytest.approx(2 / 3)
    assert bleu(["the the the"], ["the cat on the mat", "a b c"], n=2) == pytest.approx(math.sqrt(2 / 3 * 0.05))
    # The closest reference has 2 tokens more.
    assert bleu(["a b"], ["a b c d", "a b c d e"], n=2) == pytest.approx(math.exp(1 - 4 / 2))
    assert bleu(["a b c"], ["a b", "a b c d"], n=1) == pytest.approx(2 / 3 * 1.5)  # of two lengths, the shorter one
    assert bleu(["x", "", "a b"], ["a b"], n=2) == pytest.approx(1 / 3)
    assert bleu(["ab"], ["abc"], n=2, tokenize=list) == pytest.approx(math.exp(-0.5))


def naive_bleu(tokens, references, n):
    def grams(sequence, size):
        return [tuple(sequence[i : i + size]) for i in range(len(sequence) - size + 1)]

    logs = []
    for size in range(1, n + 1):
        own = grams(tokens, size)
        hits = sum(min(own.count(g), max(grams(r, size).count(g) for r in references)) for g in set(own))
        if size == 1 and hits == 0:
            return 0.0
        logs.append(math.log((hits or 0.1) / max(len(own), 1)))
    length = min((abs(len(r) - len(tokens)), len(r)) for r in references)[1]
    penalty = 1 if len(tokens) > length else math.exp(1 - length / len(tokens))
    return penalty * math.exp(sum(logs) / n)


@pytest.mark.parametrize("tokenize", [str.split, list])
@pytest.mark.parametrize("n", [1, 2, 4])
def test_bleu_and_self_bleu_agree_with_their_definitions(n, tokenize):
    tokens = [tokenize(line) for line in LINES]
    expected = sum(naive_bleu(t, tokens[:3], n) for t in tokens[3:]) / 5
    assert bleu(LINES[3:], LINES[:3], n=n, tokenize=tokenize) == pytest.approx(expected, rel=1e-9)
    texts = [*tokens, tokens[0]]  # one string is a copy
    expected = sum(naive_bleu(t, texts[:i] + texts[i + 1 :], n) for i, t in enumerate(texts)) / 9
    assert self_bleu([*LINES, LINES[0]], n=n, tokenize=tokenize) == pytest.approx(expected, rel=1e-9)


def test_bleu_agrees_with_nltk():
    """The expected values were computed by sentence_bleu of NLTK 3.10.4, with SmoothingFunction().method1."""
    assert [bleu(LINES[3:], LINES[:3], n=n) for n in (1, 2, 3, 4)] == pytest.approx(BLEU, rel=1e-9)
    assert [self_bleu(LINES, n=n) for n in (1, 2, 3, 4)] == pytest.approx(SELF_BLEU, rel=1e-9)


BLEU = [0.19327004369, 0.075895892129, 0.041977818156, 0.034699562854]
SELF_BLEU = [0.449786311683, 0.247897602921, 0.169777926804, 0.131250495319]


def test_bleu_agrees_with_the_installed_nltk():
    scores = pytest.importorskip("nltk.translate.bleu_score")
    smoothing = scores.SmoothingFunction().method1
    for n in (1, 2, 3, 4):
        tokens = [line.split() for line in LINES]
        expected = [
            scores.sentence_bleu(tokens[:i] + tokens[i + 1 :], t, [1 / n] * n, smoothing) for i, t in enumerate(tokens)
        ]
        assert self_bleu(LINES, n=n) == pytest.approx(sum(expected) / len(expected), rel=1e-9)


def test_self_bleu_measures_diversity():
    assert self_bleu(["a b c d e"] * 3) == 1
    assert self_bleu(["a b", "c d", "e f"]) == 0
    assert 1 > self_bleu([*LINES, *LINES]) > 0.6 > 0.4 > self_bleu(LINES)


def test_the_predictions_of_an_ngram_model_agree_with_hand_counts():
    """The characters and ends of "aab" and "ab" are a, a, b, end, a, b, end.

    There are 3 kinds of 7 characters, so p(a) = (3 + 3 / 3) / 10 = 0.4, p(b) = 0.3 and p(end) = 0.3. After an a, there
    are one a and two b, of 2 kinds: p(a | a) = (1 + 2 * 0.4) / 5.
    """
    model = NgramModel(["aab", "ab"], 1)
    assert model.probabilities("") == model.probabilities("aaa") == pytest.approx({"": 0.3, "a": 0.4, "b": 0.3})
    model = NgramModel(["aab", "ab"], 2)
    assert model.probabilities("ba") == pytest.approx({"": 0.6 / 5, "a": 1.8 / 5, "b": 2.6 / 5})
    assert model.probabilities("") == pytest.approx({"": 0.3 / 3, "a": 2.4 / 3, "b": 0.3 / 3})
    assert model.probabilities("x") == pytest.approx({"": 0.3, "a": 0.4, "b": 0.3})  # an unknown character
    probabilities = 2.4 / 3, 2.6 / 5, 2.3 / 4  # a after the start, b after a, and the end after b
    assert NgramModel(["aab", "ab"], 2).cross_entropy(["ab"]) == pytest.approx(
        -sum(math.log2(p) for p in (*probabilities[:2], model.probabilities("b")[""])) / 3
    )
    assert model.cross_entropy(["x"]) == math.inf


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_probabilities_are_positive_and_sum_to_one(n):
    model = NgramModel(LINES, n)
    for history in ("", "t", "the ", "zzz", "to be or n"):
        found = model.probabilities(history)
        assert sum(found.values()) == pytest.approx(1) and min(found.values()) > 0
        assert "" in found and set(found) == {"", *"".join(LINES)}


def test_samples_have_the_probabilities_of_the_model():
    samples = NgramModel(["aab", "ab"], 2).sample(4000, seed=1)
    assert sum(text.startswith("a") for text in samples) / 4000 == pytest.approx(0.8, abs=0.03)
    assert sum(not text for text in samples) / 4000 == pytest.approx(0.1, abs=0.02)
    model = NgramModel(LINES, 3)
    assert model.sample(5, seed=1) == model.sample(5, seed=1) != model.sample(5, seed=2)
    assert max(map(len, model.sample(200, max_length=7))) == 7 and model.sample(3, max_length=0) == [""] * 3
    assert model.sample(0) == []


def test_a_longer_model_is_a_better_model():
    models = [NgramModel(LINES, n) for n in (1, 2, 3, 4)]
    entropies = [model.cross_entropy(LINES) for model in models]
    divergences = [ngram_js(LINES, model.sample(300), 3) for model in models]
    assert entropies == sorted(entropies, reverse=True) and divergences == sorted(divergences, reverse=True)
    assert entropies[3] < 0.7 * entropies[0] and divergences[3] < 0.7 * divergences[0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ngram_js(["a"], ["a"], 0), "`n` must be at least 1, got 0"),
        (lambda: bleu(["a"], ["a"], n=0), "`n` must be at least 1, got 0"),
        (lambda: self_bleu(["a", "b"], n=-1), "`n` must be at least 1, got -1"),
        (lambda: NgramModel(["a"], 0), "`n` must be at least 1, got 0"),
        (lambda: ngram_js("text", ["a"], 1), r"`real` must be a list of strings, got one string\. Pass `\[real\]`"),
        (lambda: ngram_js(["a"], [], 1), "`fake` must have at least 1 string, got 0"),
        (lambda: ngram_js(["abc"], ["abc", "a"][1:], 3), "All 1 strings of `fake` have fewer than 3 characters"),
        (lambda: bleu(["a", None], ["a"]), r"`fake` must contain strings, but element 1 \(from 0\) is None"),
        (lambda: bleu(["a"], []), "`references` must have at least 1 string, got 0"),
        (lambda: self_bleu(["a"]), "`fake` must have at least 2 strings, got 1"),
        (lambda: NgramModel([b"a"], 1), r"`texts` must contain strings, but element 0 \(from 0\) is b'a'"),
        (lambda: NgramModel(["a", "\x03"], 1), r"Element 1 \(from 0\) of `texts` contains the control character"),
        (lambda: NgramModel(["a"], 1).sample(-1), "`count` must be at least 0, got -1"),
        (lambda: NgramModel(["a"], 1).sample(1, max_length=-2), "`max_length` must be at least 0, got -2"),
    ],
)
def test_invalid_arguments_raise(call, message):
    with pytest.raises(ValueError, match=message):
        call()

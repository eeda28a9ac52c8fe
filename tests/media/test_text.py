"""Tests of text as a medium: characters and one-hot vectors, files, and n-grams beside those of simple models."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import media, metrics
from jaxgan.data import NamedArrays, texts
from jaxgan.evaluation.scores import SampleStats
from jaxgan.media import Text

MEDIUM = Text(" abc", 5)
LINES = ["ab c", "cab", "a\ufffdb", "", "bbbbb"]


def batch_of(lines, medium=MEDIUM):
    return {"text": texts.encode(lines, medium.characters, medium.length)}


def samples_of(lines, medium=MEDIUM):
    """Return generated lines: logits whose largest value is at the character."""
    return 3 * np.eye(medium.num_characters, dtype=np.float32)[batch_of(lines, medium)["text"]]


def test_networks_see_one_hot_vectors_and_decode_inverts_them():
    batch = {**batch_of(LINES), "label": np.arange(5)}
    seen = jax.jit(MEDIUM.normalize)(batch)
    assert seen["text"].shape == (5, 5, 6) and seen["text"].dtype == jnp.float32
    np.testing.assert_array_equal(seen["text"].sum(-1), 1)
    np.testing.assert_array_equal(seen["label"], batch["label"])
    found = MEDIUM.decode(np.asarray(seen["text"]))
    assert found["text"].dtype == np.uint8
    np.testing.assert_array_equal(found["text"], batch["text"])


def test_a_line_ends_at_its_first_end_character():
    samples = samples_of(["abcab"])
    samples[0, 2, texts.END] = 9
    assert MEDIUM.lines(samples) == ["ab"]
    np.testing.assert_array_equal(MEDIUM.decode(samples)["text"], [[3, 4, 0, 0, 0]])


def test_lines_are_shown_and_saved(tmp_path):
    samples = samples_of(LINES)
    assert MEDIUM.view(samples) == "ab c\ncab\na\ufffdb\n\nbbbbb"
    MEDIUM.save(tmp_path / "lines.txt", samples, "a test")
    assert (tmp_path / "lines.txt").read_text(encoding="utf-8") == "ab c\ncab\na\ufffdb\n\nbbbbb\n"
    MEDIUM.save(tmp_path / "lines.npz", samples, "a test")
    with np.load(tmp_path / "lines.npz") as arrays:
        assert arrays["lines"].tolist() == LINES
        np.testing.assert_array_equal(arrays["text"], batch_of(LINES)["text"])


def test_other_examples_are_refused():
    MEDIUM.check(NamedArrays(batch_of(LINES), "lines"))
    with pytest.raises(ValueError, match=r"short has examples of shape \[4\], but this experiment takes lines of 5"):
        MEDIUM.check(NamedArrays({"text": np.zeros((3, 4), np.uint8)}, "short"))
    with pytest.raises(ValueError, match=r"`characters` must be different and .* got 'aa' and 5\."):
        Text("aa", 5)
    with pytest.raises(ValueError, match="no control characters"):
        Text("a\x1b", 5)


def test_details_of_a_text_are_the_settings_of_the_medium():
    source = texts.load(length=40)
    medium = Text(**json.loads(json.dumps(source.details)))
    medium.check(source)
    assert media.from_record(json.loads(json.dumps(media.record(medium))), (40, 62)) == medium
    with pytest.raises(ValueError, match="record of the medium text is damaged"):
        media.from_record({"name": "text", "characters": 3, "length": 40}, (40, 62))
    batch = source.read(np.arange(20))
    np.testing.assert_array_equal(medium.decode(np.asarray(medium.normalize(batch)["text"]))["text"], batch["text"])


def measure(name, real, fake, test=None, medium=MEDIUM):
    """Return the values of a metric for real and generated lines."""

    def stats(lines, **kwargs):
        arrays = batch_of(lines, medium)
        return SampleStats(NamedArrays(arrays, "lines", **kwargs), arrays=arrays)

    test = None if test is None else NamedArrays(batch_of(test, medium), "test")
    return medium.metrics[name].measure(stats(fake), stats(real, test=test))


def test_divergences_are_those_of_the_lines():
    real, fake = ["ab", "abc"], ["ac", "a", ""]
    found = measure("ngram_js", real, fake)
    assert list(found) == ["js_1", "js_2", "js_3", "js_4"]
    # Counted by hand: p = (2/5, 2/5, 1/5) and q = (2/3, 0, 1/3) for a, b and c; no common 2-grams, and no 3-grams.
    p, q = np.array([0.4, 0.4, 0.2]), np.array([2, 0, 1]) / 3
    m = (p + q) / 2
    by_hand = ((p * np.log2(p / m)).sum() + (q[[0, 2]] * np.log2(q[[0, 2]] / m[[0, 2]])).sum()) / 2
    assert found["js_1"] == pytest.approx(by_hand) and found["js_2"] == found["js_3"] == 1
    assert found["js_4"] == 0  # neither has n-grams
    assert measure("ngram_js", ["abca"], ["abca"]) == {f"js_{n}": 0 for n in range(1, 5)}


def test_baselines_have_the_order_of_their_models():
    source = texts.load(length=40)
    medium = Text(**source.details)
    every = [texts.decode(part.read(np.arange(len(part)))["text"], medium.characters) for part in (source, source.test)]
    found = measure("ngram_baselines", every[0][::8], ["a"] * 300, every[1][::2], medium)
    for n in (3, 4):
        models = [found[f"js_{n}_{name}"] for name in ("4gram", "trigram", "bigram", "unigram")]
        assert models == sorted(models) and found[f"js_{n}_test"] < found[f"js_{n}_bigram"]
    assert found["js_2_test"] == metrics.ngram_js(every[0][::8], every[1][::2], 2)
    assert not any("test" in name for name in measure("ngram_baselines", ["abc"], ["abc"]))


def test_self_bleu_is_compared_with_as_many_real_lines():
    medium = Text(" abcdefgh", 9)
    found = measure("self_bleu", ["a b c d e", "e f g h a", "b a d c f", "h g f e d"], ["a b c d e"] * 2, medium=medium)
    assert found["self_bleu"] == 1 and found["self_bleu_of_data"] == metrics.self_bleu(["a b c d e", "b a d c f"])


def test_coarse_features_depend_on_characters_and_on_their_order():
    x = np.asarray(MEDIUM.normalize(batch_of(["abab", "aabb", "cccc", "abab"]))["text"])
    found = MEDIUM.coarse(x)
    assert found.shape[1] <= 64
    np.testing.assert_array_equal(found[0], found[3])
    np.testing.assert_allclose(found[0, :6], found[1, :6])
    assert np.abs(found[0] - found[1]).max() > 0.1 and np.abs(found[0] - found[2])[:6].max() > 0.1
    np.testing.assert_allclose(
        MEDIUM.coarse(0.5 * x + 0.1), found
    )  # probabilities count as their most probable character

"""Tests of batches, which are a function of the seed and the step, and of the loops that read them."""

import random
import subprocess
import sys
import threading
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.data import Arrays, Batches, batches, load, normalize, stream
from jaxgan.data.pipeline import batches_ahead
from jaxgan.data.readers import set_readers
from jaxgan.data.source import NamedArrays, Subset, hold_out


def examples(count):
    """Return examples that contain their own index, both as the image and as the label."""
    numbers = np.arange(count, dtype=np.float32)
    return Arrays(numbers[:, None], np.arange(count, dtype=np.int32))


def numbers(batch):
    assert (batch["image"][:, 0] == batch["label"]).all()
    return batch["image"][:, 0].astype(int).tolist()


def sequence(batches, steps):
    return [i for step in range(steps) for i in numbers(batches[step])]


@pytest.mark.parametrize(("count", "batch_size"), [(12, 4), (10, 4), (10, 10), (7, 3), (5, 12), (1, 3), (3, 1)])
def test_each_epoch_contains_each_example_once(count, batch_size):
    steps = 4 * count
    seen = np.array(sequence(Batches(examples(count), batch_size, seed=0), steps)).reshape(-1, count)
    np.testing.assert_array_equal(np.sort(seen, axis=1), np.tile(np.arange(count), (len(seen), 1)))


def test_each_epoch_has_a_different_order():
    epochs = np.array(sequence(Batches(examples(50), 10, seed=0), 20)).reshape(4, 50)
    assert len({tuple(epoch) for epoch in epochs} | {tuple(range(50))}) == 5


def test_a_batch_may_extend_over_two_epochs():
    batches = Batches(examples(10), 4, seed=0)
    assert sorted(sequence(batches, 5)) == sorted([*range(10), *range(10)])
    assert sorted(numbers(batches[0]) + numbers(batches[1]) + numbers(batches[2])[:2]) == list(range(10))


def test_a_batch_depends_only_on_seed_and_step():
    order = random.Random(0).sample(range(40), 40)
    expected = [numbers(Batches(examples(13), 5, seed=3)[step]) for step in range(40)]
    jumping = Batches(examples(13), 5, seed=3)
    assert {step: numbers(jumping[step]) for step in order} == dict(enumerate(expected))


def test_the_order_agrees_with_earlier_versions():
    """A run of an earlier version must continue with the examples that it has not seen in its epoch."""
    batches = Batches(examples(6), 6, seed=5)
    for epoch in range(3):
        np.testing.assert_array_equal(batches.indices(epoch), np.random.default_rng((5, epoch)).permutation(6))


def test_different_seeds_have_different_orders():
    orders = {tuple(sequence(Batches(examples(20), 5, seed), 8)) for seed in range(5)}
    assert len(orders) == 5


def test_consecutive_seeds_do_not_share_epochs():
    """They would share epochs if the seed of the order were seed + epoch."""
    epochs = [tuple(sequence(Batches(examples(20), 20, seed), 4)[i : i + 20]) for seed in range(4) for i in (0, 20, 40)]
    assert len(set(epochs)) == 12


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_share_the_global_batch(processes):
    whole = Batches(examples(10), 8, seed=1)
    share = 8 // processes
    parts = [Batches(examples(10), 8, seed=1, rows=slice(i * share, (i + 1) * share)) for i in range(processes)]
    for step in range(10):
        assert [i for part in parts for i in numbers(part[step])] == numbers(whole[step])


def test_a_batch_size_of_zero_raises():
    with pytest.raises(ValueError, match="`batch_size` must be at least 1, got 0"):
        Batches(examples(3), 0, seed=0)


class Slow(Arrays):
    """Arrays with random delays in ``read``, so that later batches can be ready before earlier ones."""

    def read(self, indices):
        time.sleep(random.uniform(0, 0.01))
        return super().read(indices)


@pytest.mark.parametrize(("start", "stop"), [(0, 40), (17, 40), (5, 7), (3, 3), (0, 1)])
@pytest.mark.parametrize("ahead", [1, 4])
def test_a_stream_yields_batches_in_order(start, stop, ahead):
    source = examples(13)
    batches = Batches(source, 5, seed=3)
    slow = Batches(Slow(source.images, source.labels), 5, seed=3)
    found = [numbers(batch) for batch in stream(slow, start, stop, ahead)]
    assert found == [numbers(batches[step]) for step in range(start, stop)]


class Recorded:
    """Batches that are the number of their step. Steps that were read are recorded, and step ``bad`` raises an error."""

    def __init__(self, bad=None):
        self.bad, self.read = bad, []

    def __getitem__(self, step):
        self.read.append(step)
        if step == self.bad:
            raise ValueError(f"step {step} cannot be read")
        return step


@pytest.mark.parametrize("bad", [0, 3, 9])
def test_an_error_of_a_reader_is_raised_in_place_of_its_batch(bad):
    coming = stream(Recorded(bad), 0, 10)
    assert [next(coming) for _ in range(bad)] == list(range(bad))
    with pytest.raises(ValueError, match=f"step {bad} cannot be read"):
        next(coming)


def test_a_stream_reads_only_as_far_ahead_as_requested():
    batches = Recorded()
    coming = stream(batches, 0, 100, ahead=3)
    for step in range(5):
        assert next(coming) == step
        time.sleep(0.01)
        assert sorted(batches.read) == list(range(step + 1 + 3))
    coming.close()


def test_small_batches_are_read_further_ahead_so_that_all_readers_are_busy():
    set_readers(16)
    assert [batches_ahead(size) for size in (1, 3, 8, 64)] == [32, 11, 4, 4]
    set_readers(None)


@pytest.mark.parametrize("stop", [2, 10])
def test_a_stream_reads_each_requested_batch_once(stop):
    batches = Recorded()
    for _ in stream(batches, 0, stop, ahead=4):
        time.sleep(0.01)  # otherwise, the last read would be cancelled before it starts
    assert sorted(batches.read) == list(range(stop))


def test_a_stream_ends_its_threads_when_its_loop_is_left():
    before = threading.active_count()
    batches = Recorded()
    for step in stream(batches, 0, 1000):
        if step == 5:
            break
    for step in stream(batches, 0, 1000):
        assert step == 0
        assert threading.active_count() > before
        break
    assert threading.active_count() == before
    assert max(batches.read) < 20


def test_normalize_converts_only_uint8_images():
    batch = {
        "image": np.array([[0, 255, 51]], np.uint8),
        "second": np.array([[0.25, -3.0]], np.float32),
        "label": np.array([255], np.uint8),
        "index": np.array([7], np.int32),
    }
    for convert in (normalize, jax.jit(normalize)):
        out = convert(batch)
        np.testing.assert_allclose(out["image"], [[-1.0, 1.0, -0.6]], atol=1e-7)
        assert out["image"].dtype == jnp.float32
        assert (np.asarray(out["image"])[0, :2] == [-1, 1]).all()
        for name in ("second", "label", "index"):
            assert out[name].dtype == batch[name].dtype
            np.testing.assert_array_equal(out[name], batch[name])


def test_hold_out_splits_examples_with_their_labels():
    """Every example is in one of the two parts, and the split is the same at every call, for any kind of source."""
    classes = tuple("abcdefghijklmnopqrst")
    whole = Arrays(np.arange(40, dtype=np.float32).reshape(20, 2), np.arange(20, dtype=np.int32), "twenty", classes)
    for source in (whole, Subset(whole, np.arange(20))):
        rest, held_out = hold_out(source, 5)
        assert (len(rest), len(held_out), rest.name, rest.classes) == (15, 5, "twenty", classes)
        one, other = (part.read(np.arange(len(part))) for part in (rest, held_out))
        assert sorted([*one["label"], *other["label"]]) == list(range(20))
        np.testing.assert_array_equal(other["image"][:, 0], 2 * other["label"])
        assert hold_out(source, 5)[1].read(np.arange(5))["label"].tolist() == other["label"].tolist()
        assert rest.shape == (2,)
    assert isinstance(hold_out(whole, 5)[0], Arrays)
    for count in (0, 20):
        message = f"must be from 1 to 10, half of the 20 examples of twenty, got {count}"
        with pytest.raises(ValueError, match=message):
            hold_out(whole, count)


def test_batches_of_a_loop_equal_the_batches_of_training():
    """The order is the same, and the normalised values are bitwise equal to those from a compiled step."""
    source = load("stacked:digits")
    bytes_of_it = Arrays(np.random.default_rng(0).integers(0, 256, (30, 4, 4, 3), np.uint8), np.arange(30))
    for examples_of in (source, bytes_of_it):
        order = Batches(examples_of, 12, seed=3)
        found = list(batches(examples_of, 6, seed=3, turns=2, start=1, steps=4))
        assert len(found) == 3
        for step, batch in enumerate(found, 1):
            expected = jax.jit(normalize)(order[step])
            assert set(batch) == {"image", "label"}
            assert all(isinstance(x, jax.Array) for x in batch.values())
            assert (batch["image"].dtype, batch["label"].dtype) == (jnp.float32, jnp.int32)
            for name, x in batch.items():
                np.testing.assert_array_equal(x, expected[name])


def test_a_loop_is_endless_without_steps():
    endless = batches(np.zeros((3, 2, 2, 1), np.uint8), 2)
    for _ in range(20):
        batch = next(endless)
        assert set(batch) == {"image"} and (np.asarray(batch["image"]) == -1).all()
    assert list(batches(np.zeros((3, 2, 2, 1), np.uint8), 2, start=5, steps=5)) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "`batch_size` must be at least 1, got 0"),
        ({"turns": 0}, "`turns` must be at least 1, got 0"),
        ({"start": -1}, "`start` must be at least 0, got -1"),
        ({"steps": -1}, "`steps` must be at least 0, got -1"),
        ({"resolution": 0}, "`resolution` must be at least 1, got 0"),
        ({"batch_size": 1.5}, r"`batch_size` must be a whole number of at least 1, got 1\.5"),
        ({"batch_size": "8"}, "`batch_size` must be a whole number of at least 1, got '8'"),
        ({"turns": 2.0}, r"`turns` must be a whole number of at least 1, got 2\.0"),
    ],
)
def test_invalid_arguments_of_a_loop_raise_before_its_first_batch(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        batches(np.zeros((3, 2, 2, 1), np.uint8), **{"batch_size": 2, **arguments})


def test_a_loop_accepts_images_from_its_own_batches():
    """Normalisation on a device can round 255 to slightly more than 1."""
    images = np.arange(256, dtype=np.uint8).reshape(4, 8, 8, 1)
    batch = next(batches(images, 4, start=jnp.int32(0)))
    again = next(batches(np.asarray(batch["image"]) * np.float32(1.0001), 4))
    np.testing.assert_allclose(np.sort(again["image"], None), np.sort(batch["image"], None) * 1.0001, rtol=1e-6)


def test_repr_of_a_loop_names_source_and_steps():
    assert repr(batches(np.zeros((3, 2, 2, 1), np.uint8), 2, turns=2)) == (
        "Batches of 4 with seed 0 of Arrays data array: 3 examples of shape [2, 2, 1], uint8, steps from 0 on"
    )
    assert repr(batches(np.zeros((3, 2, 2, 1), np.uint8), 2, start=1, steps=5)).endswith("uint8, steps 1 to 5")


UNFINISHED = """
import numpy as np
from jaxgan.data import batches
endless = batches(np.zeros((3, 2, 2, 1), np.uint8), 2)
print(next(endless)["image"].shape)
"""


@pytest.mark.integration
def test_a_program_can_end_within_its_batches_without_errors():
    done = subprocess.run([sys.executable, "-c", UNFINISHED], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "(2, 2, 2, 1)\n", "")


def test_an_epoch_contains_examples_as_often_as_their_weights_require():
    weights = np.array([0.0, 1, 2.5, 0.5, 0])
    source = NamedArrays({"row": np.arange(5.0)[:, None]}, weights=weights)
    drawn = [Batches(source, 5, seed).indices(0) for seed in range(400)]
    counts = np.array([np.bincount(x, minlength=5) for x in drawn])
    expected = 5 * weights / weights.sum()
    assert ((counts >= np.floor(expected)) & (counts <= np.ceil(expected))).all()
    np.testing.assert_allclose(counts.mean(0), expected, atol=0.1)
    np.testing.assert_array_equal(Batches(source, 5, 7).indices(3), Batches(source, 5, 7).indices(3))
    rest = source.select(np.array([1, 3]))
    assert rest.weights.tolist() == [1, 0.5]


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1, 1], [0.0, 0, 0], [1.0, np.nan, 1]])
def test_invalid_weights_are_refused(weights):
    with pytest.raises(ValueError, match="The weights of rows must be 3 finite numbers of at least 0, one for each"):
        NamedArrays({"row": np.zeros((3, 1))}, "rows", weights=np.array(weights))

"""A batch is a function of (seed, step): every epoch holds each example once, in any process, from any step."""

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
from jaxgan.data.source import Subset, hold_out


def examples(count):
    """Whose image is its own number, and whose label is its negative."""
    numbers = np.arange(count, dtype=np.float32)
    return Arrays(numbers[:, None], -np.arange(count, dtype=np.int32))


def numbers(batch):
    assert (batch["image"][:, 0] == -batch["label"]).all()
    return batch["image"][:, 0].astype(int).tolist()


def sequence(batches, steps):
    return [i for step in range(steps) for i in numbers(batches[step])]


@pytest.mark.parametrize(("count", "batch_size"), [(12, 4), (10, 4), (10, 10), (7, 3), (5, 12), (1, 3), (3, 1)])
def test_each_epoch_holds_each_example_once(count, batch_size):
    steps = 4 * count
    seen = np.array(sequence(Batches(examples(count), batch_size, seed=0), steps)).reshape(-1, count)
    np.testing.assert_array_equal(np.sort(seen, axis=1), np.tile(np.arange(count), (len(seen), 1)))


def test_epochs_are_shuffled_each_in_its_own_way():
    epochs = np.array(sequence(Batches(examples(50), 10, seed=0), 20)).reshape(4, 50)
    assert len({tuple(epoch) for epoch in epochs} | {tuple(range(50))}) == 5


def test_a_batch_may_span_epochs():
    batches = Batches(examples(10), 4, seed=0)
    assert sorted(sequence(batches, 5)) == sorted([*range(10), *range(10)])
    assert sorted(numbers(batches[0]) + numbers(batches[1]) + numbers(batches[2])[:2]) == list(range(10))


def test_a_batch_is_a_function_of_seed_and_step_alone():
    order = random.Random(0).sample(range(40), 40)
    expected = [numbers(Batches(examples(13), 5, seed=3)[step]) for step in range(40)]
    jumping = Batches(examples(13), 5, seed=3)
    assert {step: numbers(jumping[step]) for step in order} == dict(enumerate(expected))


def test_the_orders_are_those_of_earlier_versions():
    """A run that is resumed goes on with the data it has not seen."""
    batches = Batches(examples(6), 6, seed=5)
    for epoch in range(3):
        np.testing.assert_array_equal(batches.indices(epoch), np.random.default_rng((5, epoch)).permutation(6))


def test_other_seeds_other_orders():
    orders = {tuple(sequence(Batches(examples(20), 5, seed), 8)) for seed in range(5)}
    assert len(orders) == 5


def test_the_epochs_of_neighbouring_seeds_are_not_the_same():
    """As they would be if the order were one of seed + epoch."""
    epochs = [tuple(sequence(Batches(examples(20), 20, seed), 4)[i : i + 20]) for seed in range(4) for i in (0, 20, 40)]
    assert len(set(epochs)) == 12


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_share_the_global_batch(processes):
    whole = Batches(examples(10), 8, seed=1)
    share = 8 // processes
    parts = [Batches(examples(10), 8, seed=1, rows=slice(i * share, (i + 1) * share)) for i in range(processes)]
    for step in range(10):
        assert [i for part in parts for i in numbers(part[step])] == numbers(whole[step])


def test_a_batch_of_nothing_is_refused():
    with pytest.raises(ValueError, match="`batch_size` must be at least 1, got 0"):
        Batches(examples(3), 0, seed=0)


class Slow(Arrays):
    """Reads take random times; those at the start of the stream the longest."""

    def read(self, indices):
        time.sleep(random.uniform(0, 0.01))
        return super().read(indices)


@pytest.mark.parametrize(("start", "stop"), [(0, 40), (17, 40), (5, 7), (3, 3), (0, 1)])
@pytest.mark.parametrize("ahead", [1, 4])
def test_a_stream_is_the_batches_in_order(start, stop, ahead):
    source = examples(13)
    batches = Batches(source, 5, seed=3)
    slow = Batches(Slow(source.images, source.labels), 5, seed=3)
    found = [numbers(batch) for batch in stream(slow, start, stop, ahead)]
    assert found == [numbers(batches[step]) for step in range(start, stop)]


class Recorded:
    """Batches that are their step's number; the read of step ``bad`` fails."""

    def __init__(self, bad=None):
        self.bad, self.read = bad, []

    def __getitem__(self, step):
        self.read.append(step)
        if step == self.bad:
            raise ValueError(f"step {step} cannot be read")
        return step


@pytest.mark.parametrize("bad", [0, 3, 9])
def test_a_readers_error_is_raised_where_its_batch_would_be(bad):
    coming = stream(Recorded(bad), 0, 10)
    assert [next(coming) for _ in range(bad)] == list(range(bad))
    with pytest.raises(ValueError, match=f"step {bad} cannot be read"):
        next(coming)


def test_a_stream_reads_ahead_and_no_further():
    batches = Recorded()
    coming = stream(batches, 0, 100, ahead=3)
    for step in range(5):
        assert next(coming) == step
        time.sleep(0.01)
        assert sorted(batches.read) == list(range(step + 1 + 3))
    coming.close()


@pytest.mark.parametrize("stop", [2, 10])
def test_a_stream_reads_no_batch_twice_and_none_that_is_not_asked_for(stop):
    batches = Recorded()
    for _ in stream(batches, 0, stop, ahead=4):
        time.sleep(0.01)  # or the last of them would be cancelled before it is begun
    assert sorted(batches.read) == list(range(stop))


def test_a_stream_that_is_left_ends_its_threads():
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


def test_bytes_become_floats_and_nothing_else_changes():
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


def test_examples_that_are_held_out():
    """Each is on one side, the same ones every time; labels go with them, of arrays and of what is read by index."""
    whole = Arrays(np.arange(40, dtype=np.float32).reshape(20, 2), np.arange(20, dtype=np.int32), "twenty", ("a", "b"))
    for source in (whole, Subset(whole, np.arange(20))):
        rest, held = hold_out(source, 5)
        assert (len(rest), len(held), rest.name, rest.classes) == (15, 5, "twenty", ("a", "b"))
        there, kept = (part.read(np.arange(len(part))) for part in (rest, held))
        assert sorted([*there["label"], *kept["label"]]) == list(range(20))
        np.testing.assert_array_equal(kept["image"][:, 0], 2 * kept["label"])
        assert hold_out(source, 5)[1].read(np.arange(5))["label"].tolist() == kept["label"].tolist()
        assert rest.shape == (2,)
    assert isinstance(hold_out(whole, 5)[0], Arrays)
    for count in (0, 20):
        with pytest.raises(ValueError, match=f"twenty: from 1 to 10 of its 20 examples can be held out, got {count}"):
            hold_out(whole, count)


def test_a_loops_batches_are_those_of_training():
    """The same examples in the same order, normalised to the bit as inside a compiled step."""
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


def test_a_loops_batches_never_end_unless_steps_are_given():
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
def test_a_loops_mistakes_are_told_before_its_first_batch(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        batches(np.zeros((3, 2, 2, 1), np.uint8), **{"batch_size": 2, **arguments})


def test_a_loop_takes_its_own_batches():
    """Normalising on a device rounds 255 to slightly more than 1."""
    images = np.arange(256, dtype=np.uint8).reshape(4, 8, 8, 1)
    batch = next(batches(images, 4, start=jnp.int32(0)))
    again = next(batches(np.asarray(batch["image"]) * np.float32(1.0001), 4))
    np.testing.assert_allclose(np.sort(again["image"], None), np.sort(batch["image"], None) * 1.0001, rtol=1e-6)


def test_a_loop_says_what_it_is():
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
def test_a_program_ends_in_silence_within_its_batches():
    done = subprocess.run([sys.executable, "-c", UNFINISHED], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "(2, 2, 2, 1)\n", "")

"""Tests of the batches of calls: they are prepared one call ahead, and training does not depend on it."""

import dataclasses
import threading
import time

import jax
import numpy as np
import pytest
from helpers import games

from experiments import gan
from jaxgan.data import Arrays
from jaxgan.parallel import PlacedBatch
from jaxgan.training import loop, steps as stepping
from jaxgan.training.checkpoints import Checkpoints, checksums
from jaxgan.training.feeding import BatchFeeder, Call
from jaxgan.training.options import RunOptions
from jaxgan.training.runs import SingleRun
from jaxgan.training.steps import Steps

pytestmark = pytest.mark.integration


class Failing(Arrays):
    """A source that can be read a few times."""

    def read(self, indices):
        reads.append(1)
        if len(reads) > 40:
            raise ValueError("a file cannot be decoded")
        return super().read(indices)


reads = []


@pytest.fixture
def streamed(monkeypatch):
    monkeypatch.setattr(stepping, "RESIDENT_BYTES", -1)


def make_run(config, source):
    return SingleRun(dataclasses.replace(games.points_experiment(), source=source), config)


def make_steps(devices=1, method="pmap", source=None):
    config = gan.Config(steps=40, batch_size=8)
    run = make_run(config, source or Arrays(games.points(64)))
    return run, Steps(run, config, run.devices(devices), method)


@pytest.mark.parametrize(("devices", "method"), [(1, "pmap"), (4, "pmap"), (4, "shard_map")])
def test_prepared_batches_are_on_the_devices_of_the_step(streamed, devices, method):
    _, steps = make_steps(devices, method)
    expected = [x["image"] for x in steps.batches(0)]
    with BatchFeeder(steps, 0) as feeder:
        assert feeder.works_ahead
        for call in (Call(0, 3, False), Call(3, 2, False)):
            feeder.prepare(call)
            placed = feeder.take(call)
            assert isinstance(placed, PlacedBatch) and placed.count == call.count
            x = placed.arrays["image"]
            assert isinstance(x, jax.Array) and x.sharding.device_set == set(steps.devices)
            found = np.asarray(x).reshape(steps.max_steps_per_call, 8, 2)[: call.count]
            np.testing.assert_array_equal(found, expected[call.step : call.stop])
            alone = steps.at(call.step).put({"image": np.stack(expected[call.step : call.stop])})
            assert x.sharding == alone.arrays["image"].sharding


def test_a_step_that_was_traced_is_not_traced_again_for_prepared_batches(streamed, monkeypatch):
    for devices, method in ((1, "pmap"), (2, "pmap")):
        run, steps = make_steps(devices, method)
        traced, step = [], type(run.game).step
        monkeypatch.setattr(type(run.game), "step", lambda self, *x, f=step, t=traced: t.append(1) or f(self, *x))
        steps.trace()
        state = run.place(run.init(run.keys), steps.devices, steps.method)
        with BatchFeeder(steps, 0) as feeder:
            for call in (Call(0, 1, True), Call(1, 4, False)):
                feeder.prepare(call)
                state, _ = steps.at(call.step)(state, feeder.take(call))
        assert len(traced) == 1 and int(np.ravel(jax.device_get(state.step))[0]) == 5
        monkeypatch.undo()
        monkeypatch.setattr(stepping, "RESIDENT_BYTES", -1)


def test_the_next_call_is_read_while_nobody_waits_and_the_one_after_it_is_not(streamed):
    _, steps = make_steps()
    with BatchFeeder(steps, 0) as feeder:
        call = Call(0, 2, False)
        feeder.prepare(call)
        assert feeder._coming
        coming = feeder._coming[1]
        while not coming.done():
            time.sleep(0.001)
        assert feeder.take(call) is coming.result() and feeder._coming is None


def test_resident_data_are_not_prepared():
    _, steps = make_steps()
    before = threading.active_count()
    with BatchFeeder(steps, 0) as feeder:
        assert not feeder.works_ahead
        feeder.prepare(Call(0, 2, False))
        assert feeder.take(Call(0, 2, False)).count == 2
        assert threading.active_count() == before


def train(path, source, steps=60):
    config = gan.Config(steps=steps, batch_size=8)
    path.mkdir(exist_ok=True)
    options = RunOptions(devices=1, checkpoint_every=steps, sample_every=1000, quiet=True)
    loop.train(make_run(config, source), config, options, path, "points")
    checkpoints = Checkpoints(path / "checkpoints", read_only=True)
    try:
        return checksums(checkpoints.read())
    finally:
        checkpoints.close()


def test_training_with_prepared_batches_has_the_same_result(streamed, tmp_path, monkeypatch):
    points = games.points(64)
    prepared, prepare = [], BatchFeeder.prepare
    monkeypatch.setattr(BatchFeeder, "prepare", lambda self, call: prepared.append(call) or prepare(self, call))
    ahead = train(tmp_path / "ahead", Arrays(points))
    assert prepared and prepared[-1].stop == 60
    monkeypatch.setattr(BatchFeeder, "prepare", lambda self, call: None)
    assert train(tmp_path / "not ahead", Arrays(points)) == ahead
    monkeypatch.setattr(stepping, "RESIDENT_BYTES", 2**30)
    assert train(tmp_path / "resident", Arrays(points)) == ahead


def test_training_resumes_exactly_with_prepared_batches(streamed, tmp_path):
    points = Arrays(games.points(64))
    whole = train(tmp_path / "whole", points)
    train(tmp_path / "parts", points, steps=27)
    assert train(tmp_path / "parts", points) == whole


def test_an_error_of_the_source_ends_the_run_and_its_threads(streamed, tmp_path):
    before = {thread.name for thread in threading.enumerate()}
    reads.clear()
    with pytest.raises(ValueError, match=r"^a file cannot be decoded$"):
        train(tmp_path / "run", Failing(games.points(64)))
    left = {thread.name for thread in threading.enumerate()} - before
    assert not [name for name in left if "feeder" in name or "ThreadPoolExecutor" in name]


def test_a_run_that_ends_does_not_wait_for_all_batches_of_the_next_call(streamed):
    _, steps = make_steps()
    read = []

    def slow_batches(start):
        for step in range(start, 40):
            read.append(step)
            time.sleep(0.05)
            yield {"image": np.zeros((8, 2), np.float32)}

    steps.batches = slow_batches
    with BatchFeeder(steps, 0) as feeder:
        feeder.prepare(Call(0, 10, False))
        while not read:
            time.sleep(0.001)
    assert len(read) <= 2

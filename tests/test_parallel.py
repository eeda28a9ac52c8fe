"""Tests that a game has the same result on any number of devices and processes."""

import dataclasses
import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from helpers import games

from jaxgan import parallel, total
from jaxgan.games.population import Population

pytestmark = pytest.mark.integration

STEPS = 3
slow = pytest.mark.slow  # for tests that compile for ten seconds or more


def one_device(critic_turns, batch):
    game = games.dcgan_game(critic_turns)
    before = game.init(jax.random.key(0))
    state, step = before, jax.jit(game.step)
    for _ in range(STEPS):
        state, metrics = step(state, batch)
    return before, state, metrics


@pytest.fixture(scope="module", params=[1, pytest.param(5, marks=slow)])
def reference(request):
    batch = games.images(16 * request.param)
    return request.param, batch, *one_device(request.param, batch)


SPREADS = [
    (parallel.pmap, 1),
    (parallel.pmap, 4),
    (parallel.shard_map, 8),
    pytest.param(parallel.pmap, 2, marks=slow),
    pytest.param(parallel.pmap, 8, marks=slow),
    pytest.param(parallel.shard_map, 1, marks=slow),
    pytest.param(parallel.shard_map, 2, marks=slow),
    pytest.param(parallel.shard_map, 4, marks=slow),
]


@pytest.mark.parametrize(("spread", "count"), SPREADS)
def test_the_result_does_not_depend_on_the_number_of_devices(reference, spread, count):
    critic_turns, batch, before, expected, expected_metrics = reference
    game, on = games.dcgan_game(critic_turns), parallel.devices(count)
    state, step = parallel.replicate(before, on), spread(game, on)
    for _ in range(STEPS):
        state, metrics = step(state, batch)
    assert games.change(before, expected, state) < 1e-5
    for name, value in expected_metrics.items():
        np.testing.assert_allclose(metrics[name], value, rtol=1e-4, atol=1e-5, err_msg=name)


def test_the_result_differs_if_batch_norm_uses_one_device_only(reference, monkeypatch):
    """The test above would fail if BatchNorm did not combine the examples of all devices."""
    from jaxgan.core import axis

    critic_turns, batch, before, expected, _ = reference
    game, on = games.dcgan_game(critic_turns), parallel.devices(4)
    real_mean = axis.mean
    # BatchNorm calls `mean` with arrays, and the game calls it with other pytrees.
    monkeypatch.setattr(axis, "mean", lambda x: x if isinstance(x, jax.Array) else real_mean(x))
    state, step = parallel.replicate(before, on), parallel.pmap(game, on)
    for _ in range(STEPS):
        state, _ = step(state, batch)
    assert games.change(before, expected, state) > 1e-3


WORKER = """
import os, sys
process, port, kind, turns, out = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5]
sys.path.insert(0, {tests!r})
import jax
jax.config.update("jax_num_cpu_devices", 2)
from jaxgan import parallel, total
parallel.initialize("localhost:" + port, 2, process)
from helpers import games
import numpy as np
from jaxgan.training.checkpoints import Checkpoints, named_leaves
from pathlib import Path
game = games.dcgan_game(turns)
batch = games.images(16 * turns)[parallel.rows(16 * turns)]
assert len(batch) == 8 * turns
on = parallel.devices()
assert len(on) == 4
state = parallel.replicate(game.init(jax.random.key(0)), on, local=kind == "pmap")
step = getattr(parallel, kind)(game, on)
step.trace(state, batch)
for _ in range(3):
    state, metrics = step(state, batch)
assert parallel.max_over_processes(process) == 1
checkpoints = Checkpoints(Path(out) / "checkpoints")
checkpoints.save(state)
checkpoints.wait()
checkpoints.close()
if process == 0:
    np.savez(Path(out) / "state.npz", **named_leaves(state))
"""


def two_processes(code, tmp_path, *arguments):
    """Run code in two processes, and return what each prints. The first arguments are the process's index and a port."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    root = Path(__file__).parent.parent
    environment = {**os.environ, "PYTHONPATH": str(root)}
    environment.pop("JAX_NUM_CPU_DEVICES")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(i), port, *arguments],
            env=environment, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for i in range(2)
    ]  # fmt: skip
    printed = [process.communicate(timeout=240)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], "\n".join(printed)
    return printed


@pytest.mark.parametrize("kind", [pytest.param("pmap", marks=slow), "shard_map"])
def test_two_processes_with_two_devices_each_agree_with_one_device(reference, kind, tmp_path):
    critic_turns, _, before, expected, _ = reference
    code = WORKER.format(tests=str(Path(__file__).parent))
    two_processes(code, tmp_path, kind, str(critic_turns), str(tmp_path))
    leaves = dict(np.load(tmp_path / "state.npz"))

    from jaxgan.training.checkpoints import Checkpoints, state_from_leaves

    state = state_from_leaves(before, leaves, "the processes' state")
    assert games.change(before, expected, state) < 1e-5
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    restored = checkpoints.restore(before)
    checkpoints.close()
    assert games.change(before, expected, restored) < 1e-5
    # A checkpoint of two processes can be resumed on any number of devices. These programs are compiled above, too.
    for form, count in ((parallel.pmap, 1), (parallel.shard_map, 8)):
        on = parallel.devices(count)
        step = form(games.dcgan_game(critic_turns), on)
        state, _ = step(parallel.replicate(restored, on), games.images(16 * critic_turns))
        assert int(state.step) == STEPS + 1


def test_the_second_step_does_not_recompile():
    game = games.dcgan_game()
    on = parallel.devices(2)
    state, step = parallel.replicate(game.init(jax.random.key(0)), on), parallel.pmap(game, on)
    state, _ = step(state, games.images(8))
    with jax.log_compiles(), pytest.MonkeyPatch.context() as patch:
        compiled = []
        import logging

        patch.setattr(logging.Logger, "handle", lambda self, record: compiled.append(record.getMessage()))
        step(state, games.images(8, seed=1))
    assert not [message for message in compiled if "Compiling" in message]


@pytest.mark.parametrize("spread", [parallel.pmap, parallel.shard_map])
def test_a_batch_that_cannot_be_split_evenly_is_refused(spread):
    on = parallel.devices(4)
    step = spread(games.dcgan_game(5), on)
    message = (
        "A batch of 50 examples cannot be split evenly over 4 devices if each device splits its examples into 5 "
        "slices. Use 40 or 60 examples"
    )
    with pytest.raises(ValueError, match=message):
        step(None, games.images(50))


def test_the_error_about_a_batch_size_suggests_valid_sizes():
    two: list[parallel.Device] = parallel.devices(2)
    game = games.dcgan_game(5)
    parallel.check_divides(game, 20, two)
    for size, fix in ((0, "Use 10"), (5, "Use 10"), (15, "Use 10 or 20")):
        with pytest.raises(ValueError, match=f"A batch of {size} examples cannot be split evenly.*{fix}"):
            parallel.check_divides(game, size, two)


def test_int64_labels_are_traced_once_and_without_a_warning():
    """Labels in NumPy are int64, which JAX converts to int32."""
    game, labels = games.points_game(), np.arange(8)

    def loss(nets, batch, keys, step):
        return total(d=nets.d(batch["x"]) * batch["label"])

    game = dataclasses.replace(game, players={"d": dataclasses.replace(game.players["d"], loss=loss)}, turns=(("d",),))
    for form, count in ((parallel.pmap, 1), (parallel.shard_map, 2)):
        on = parallel.devices(count)
        step = form(game, on)
        assert isinstance(step, parallel.Step) and labels.dtype == np.int64
        batch = {"x": games.points(8), "label": labels}
        state = parallel.replicate(game.init(jax.random.key(0)), on)
        step.trace(state, batch)
        _, metrics = step(state, batch)
        assert np.isfinite(metrics["d/d"])


def test_more_devices_than_available_are_refused():
    with pytest.raises(ValueError, match=r"`devices` must be between 1 and 8, .*\(cpu\), got 9.*JAX_NUM_CPU_DEVICES=9"):
        parallel.devices(9)


@pytest.mark.parametrize(
    ("form", "count"), [(parallel.pmap, 1), (parallel.pmap, 2), (parallel.shard_map, 2), (parallel.members, 2)]
)
def test_several_steps_per_call_are_traced_once(form, count):
    """``trace`` takes seconds for a large game, so the first call must not trace again."""
    game, batch, traced = games.points_game(), games.points(8), []
    d = game.players["d"]

    def counted_loss(*args):
        traced.append(1)
        return d.loss(*args)

    counted = dataclasses.replace(d, loss=counted_loss)
    game = dataclasses.replace(game, players={**game.players, "d": counted})
    on, place, key = parallel.devices(count), parallel.replicate, jax.random.key(0)
    if form is parallel.members:
        game, place, key = Population(game, 4), parallel.share_out, jax.random.split(key, 4)
        batch = np.stack([batch] * 4, 1)
    state, step = place(game.init(key), on), form(game, on, max_steps=3)
    step.trace(jax.eval_shape(game.init, key), np.stack([batch] * 3))
    assert traced == [1]
    for steps in (3, 2):
        state, _ = step(state, np.stack([batch] * steps))
    assert traced == [1]


@pytest.mark.parametrize("spread", [parallel.pmap, pytest.param(parallel.shard_map, marks=slow)])
def test_the_number_of_steps_per_call_does_not_change_the_result(reference, spread):
    """The results are exactly equal, so a run ends with the same state if it is resumed in the middle of a call."""
    critic_turns, batch, before, expected, expected_metrics = reference
    game, on = games.dcgan_game(critic_turns), parallel.devices(2)
    step = spread(game, on, max_steps=3)

    def after(*counts):
        state = parallel.replicate(before, on)
        for count in counts:
            state, metrics = step(state, np.stack([batch] * count))
        return state, jax.tree.map(lambda x: np.asarray(x)[counts[-1] - 1], metrics)

    (together, metrics), (apart, _) = after(3), after(1, 2)
    jax.tree.map(np.testing.assert_array_equal, together.params, apart.params)
    assert games.change(before, expected, together) < 1e-5
    for name, value in expected_metrics.items():
        np.testing.assert_allclose(metrics[name], value, rtol=1e-4, atol=1e-5, err_msg=name)
    with pytest.raises(ValueError, match=r"`batch` must have the shape .* with 1 to 3 steps, got 4 steps"):
        step(together, np.stack([batch] * 4))


def test_processes_cannot_be_connected_after_jax_was_used():
    jax.devices()
    with pytest.raises(
        ValueError,
        match=r"`coordinator` must be set before JAX is used, .* If `preset` is photos, .* before other code uses JAX",
    ):
        parallel.initialize("localhost:1", 1, 0)


def test_processes_with_another_digest_than_process_0_are_found(monkeypatch):
    def gather(own, *, tiled):
        assert not tiled
        return np.stack([own, own, 1 - own, own, own + 1])

    monkeypatch.setattr(parallel.multihost_utils, "process_allgather", gather)
    assert parallel.find_different(b"\0\1") == [2, 4]

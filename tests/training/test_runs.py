"""Populations as a user runs them: what is written, how they resume, what is drawn from them, what is refused."""

import dataclasses
import json
import os
import re
import subprocess
import sys

import jax
import numpy as np
import pytest
from helpers import games, programs

from experiments import gan
from jaxgan.training import steps as stepping
from jaxgan.training.runs import PopulationRun, SingleRun, TrainingRun, list_member_settings, make_run

pytestmark = pytest.mark.integration

TINY = [*programs.tiny("gan"), "--checkpoint-every", "4", "--devices", "2"]


def run(capsys, *arguments):
    return programs.run(capsys, *arguments, experiment="gan")


def train(capsys, run_dir, steps, *more):
    code, text = run(capsys, "train", "--steps", steps, "--run-dir", run_dir, *TINY, *more)
    assert code == 0, text
    return text


def rows(run_dir):
    return [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Four seeds, 12 steps."""
    run_dir = tmp_path_factory.mktemp("runs") / "four"
    train(programs.Silent(), run_dir, 12, "--population", 4)
    return run_dir


def test_what_a_population_writes(finished):
    record = json.loads((finished / "config.json").read_text())
    assert record["members"] == [{"seed": seed} for seed in range(4)]
    assert [row["step"] for row in rows(finished)] == list(range(1, 13))
    last = rows(finished)[-1]
    assert all(len(value) == 4 for name, value in last.items() if name != "step")
    assert len(set(last["d/loss"])) == 4
    contents = (finished / "report.html").read_text()
    shown = json.loads(re.search(r'id="run">(.*?)</script>', contents)[1])
    curve, losses = shown["curves"]["d/loss"], np.array([row["d/loss"] for row in rows(finished)])
    assert curve["members"]
    for name, of in {"mean": np.mean, "low": np.min, "high": np.max}.items():
        np.testing.assert_allclose(curve[name], of(losses, axis=1), rtol=1e-4)
    assert shown["members"]["head"][:2] == ["member", "seed"] and len(shown["members"]["rows"]) == 4
    assert shown["headline"][0]["note"] == "mean of 4 members, mean of the last 12 steps"


def test_a_member_is_the_run_of_its_seed(finished, tmp_path, capsys):
    train(capsys, tmp_path / "solo", 12, "--seed", 2)
    for mine, solo in zip(rows(finished), rows(tmp_path / "solo")):
        assert mine["d/loss"][2] == pytest.approx(solo["d/loss"], rel=1e-4)
        assert mine["d/accuracy_real"][2] == pytest.approx(solo["d/accuracy_real"])
        assert mine["g/loss"][1] != pytest.approx(solo["g/loss"], rel=1e-4)


def test_it_resumes_to_the_bit(finished, tmp_path, capsys):
    run_dir = tmp_path / "run"
    train(capsys, run_dir, 6, "--population", 4)
    assert "resumed from step 6" in train(capsys, run_dir, 12, "--population", 4)
    assert (run_dir / "metrics.jsonl").read_bytes() == (finished / "metrics.jsonl").read_bytes()
    code, text = run(capsys, "train", "--steps", 12, "--run-dir", run_dir, *TINY, "--population", 2)
    assert code == 2 and f"--population is 4 in the run in {run_dir}, got 2" in text


def test_data_that_is_streamed_gives_the_same_run(finished, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(stepping, "RESIDENT_BYTES", -1)
    train(capsys, tmp_path / "run", 12, "--population", 4)
    assert (tmp_path / "run/metrics.jsonl").read_bytes() == (finished / "metrics.jsonl").read_bytes()


def test_a_member_that_was_lost_by_a_term_stays_lost(finished, tmp_path, capsys):
    """Its state may be finite: the log says that it was lost."""
    run_dir = tmp_path / "run"
    train(capsys, run_dir, 8, "--population", 4)
    file = run_dir / "metrics.jsonl"
    whole = [json.loads(line) for line in file.read_text().splitlines()]
    for name, values in whole[-1].items():
        whole[-1][name] = values if name == "step" else [*values[:3], None]
    file.write_text("".join(json.dumps(row) + "\n" for row in whole))
    train(capsys, run_dir, 12, "--population", 4)
    assert all(row["d/loss"][3] is None and row["d/loss"][0] is not None for row in rows(run_dir)[8:])


def test_settings_that_decide_the_program_are_told(tmp_path, capsys, monkeypatch):
    build = gan.build

    def deciding(config, source=None):
        assert config.ema_decay > 0.5
        return build(config, source)

    monkeypatch.setattr(gan, "build", deciding)
    code, text = run(capsys, "train", "--steps", 4, "--run-dir", tmp_path / "x", *TINY, "--sweep", "ema_decay=0.9,0.99")
    assert code == 2 and "--sweep: this experiment's program depends on the value of ema_decay" in text


def test_samples_of_a_member(finished, tmp_path, capsys):
    drawn = []
    for member in (0, 3):
        out = tmp_path / f"{member}.npz"
        code, text = run(capsys, "sample", "--run-dir", finished, "--member", member, "--count", 3, "--out", out)
        assert code == 0 and f"3 samples of member {member} (seed {member}), step 12" in text
        drawn.append(np.load(out)["images"])
    assert drawn[0].shape == (3, 8, 8, 1) and not np.array_equal(*drawn)
    code, text = run(capsys, "sample", "--run-dir", finished, "--member", 4, "--out", tmp_path / "x.png")
    assert code == 2 and f"--member 4: the run in {finished} has members 0 to 3" in text


@pytest.fixture
def any_rate(monkeypatch):
    """Rates at which weights overflow."""
    monkeypatch.setattr(gan.Config, "check", lambda self, **ranges: None)


def test_one_that_diverges_leaves_the_others(any_rate, tmp_path, capsys):
    varied = ("--sweep", "learning_rate=2e-4,1e38")
    text = train(capsys, tmp_path / "run", 8, *varied)
    assert "member 1 (seed 0, learning_rate 1e+38) diverged" in text and "the others go on" in text
    assert "diverged" not in train(capsys, tmp_path / "run", 12, *varied)  # it is not told again
    last = rows(tmp_path / "run")[-1]
    assert all(x[0] is not None and x[1] is None for name, x in last.items() if name != "step")
    table = json.loads(re.search(r'id="run">(.*?)</script>', (tmp_path / "run/report.html").read_text())[1])["members"]
    assert "diverged" in table["rows"][1] and "diverged" not in table["rows"][0]
    out = tmp_path / "x.png"
    code, text = run(capsys, "sample", "--run-dir", tmp_path / "run", "--member", 1, "--out", out)
    assert code == 2 and "learning_rate 1e+38) has diverged, its samples are not finite" in text and not out.exists()
    assert run(capsys, "sample", "--run-dir", tmp_path / "run", "--out", out)[0] == 0 and out.exists()


def test_when_all_diverge_the_run_ends(any_rate, tmp_path, capsys):
    more = ("--run-dir", tmp_path / "run", *TINY, "--sweep", "learning_rate=1e38,2e38")
    code, text = run(capsys, "train", "--steps", 12, *more)
    assert code == 1 and re.search(r"error: step \d+: .* of the last member", text)


def test_every_choice_of_values_and_seeds_is_a_member():
    config = gan.Config(seed=5, population=2, sweep=("learning-rate=1e-4,4e-4", "ema_decay=0.9"))
    assert list_member_settings(config) == [
        {"seed": 5, "learning_rate": 1e-4, "ema_decay": 0.9},
        {"seed": 6, "learning_rate": 1e-4, "ema_decay": 0.9},
        {"seed": 5, "learning_rate": 4e-4, "ema_decay": 0.9},
        {"seed": 6, "learning_rate": 4e-4, "ema_decay": 0.9},
    ]
    assert list_member_settings(gan.Config()) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--sweep", "z_dim=4,8"], "'z_dim' cannot vary, because all members share one compiled program; "),
        (["--sweep", "rate=1"], "'rate' cannot vary"),
        (["--sweep", "dp_noise_multiplier=1"], "'dp_noise_multiplier' cannot vary"),
        (
            ["--sweep", "ema_decay=a,b"],
            "--sweep takes numbers that are separated by commas, as in ema_decay=1e-4,4e-4; got 'ema_decay=a,b'.",
        ),
        (["--sweep", "ema_decay=0.9,2"], "--ema-decay must be between 0 and 1, got 2.0."),
        (["--sweep", "ema_decay=0.9", "ema_decay=0.8"], "--sweep names ema_decay twice"),
        (["--population", "-5"], "--population must be between 1 and 4,096, got -5."),
        (["--population", "3", "--devices", "2"], "--devices must share 3 members evenly, got 2; use 1."),
        (
            ["--population", "2", "--seed", "4294967295"],
            "--population needs seeds below 2**32, got 2 seeds from 4294967295 on.",
        ),
    ],
)
def test_what_cannot_be(arguments, told, tmp_path, capsys):
    code, text = run(capsys, "train", "--steps", 4, "--run-dir", tmp_path / "x", *programs.tiny("gan"), *arguments)
    assert code == 2 and told in text, text
    assert not (tmp_path / "x" / "metrics.jsonl").exists()


@pytest.fixture(scope="module")
def runs():
    """A single game, and a population of three."""
    experiment, config = games.points_experiment(), gan.Config(seed=4)
    seeds = [{"seed": seed} for seed in (4, 5, 6)]
    return SingleRun(experiment, config), PopulationRun(experiment, config, lambda *_: experiment, seeds)


def test_settings_say_what_is_trained():
    """Held-out examples are taken from those that are trained on."""
    config = gan.Config.tiny(num_held_out=32)
    experiment = gan.build(config)
    single = make_run(config, experiment, gan.build)
    assert isinstance(single, SingleRun) and not single.is_population and single.member_settings == []
    assert len(single.experiment.source) == len(experiment.source) - 32 and len(single.experiment.held_out) == 32
    several = make_run(gan.Config.tiny(sweep=("learning_rate=1e-4,2e-4",)), experiment, gan.build)
    assert isinstance(several, PopulationRun) and several.is_population
    assert isinstance(single, TrainingRun) and isinstance(several, TrainingRun)
    assert not isinstance(several, SingleRun)


def test_members_are_named_and_seeded(runs):
    single, several = runs
    assert single.seeds == (4,) and single.member_name(0) == ""
    assert several.seeds == (4, 5, 6) and several.member_name(2) == "member 2 (seed 6)"


def test_states_of_members_are_those_of_their_own_runs(runs):
    single, several = runs
    (alone,), states = single.member_states(single.init(single.keys)), several.member_states(several.init(several.keys))
    assert len(states) == 3
    jax.tree.map(np.testing.assert_array_equal, alone.params, states[0].params)
    # A probe takes one state, or that of the whole population.
    assert jax.tree.leaves(single.probe_state(alone).params)[0].shape == jax.tree.leaves(alone.params)[0].shape
    whole = several.init(several.keys)
    assert several.probe_state(whole) is whole


def test_batches_of_members_lie_side_by_side(runs):
    single, several = runs
    batches = [np.full((8, 2), i) for i in range(3)]
    assert single.join_batches(batches[:1]) is batches[0]
    joined = several.join_batches([{"image": batch} for batch in batches])["image"]
    assert joined.shape == (8, 3, 2) and (joined[:, 1] == 1).all()


def test_devices_share_a_batch_or_the_members(runs):
    single, several = runs
    assert len(single.devices(2)) == 2 and len(several.devices(None)) == 3  # of eight
    single.check_batch_size(16, single.devices(8))
    several.check_batch_size(7, several.devices(None))  # each member's is on one device
    with pytest.raises(
        ValueError, match="`batch_size` must be divisible by the number of devices, 8, got 12; use 8 or 16"
    ):
        single.check_batch_size(12, single.devices(8))
    with pytest.raises(ValueError, match="`devices` must share 3 members evenly, got 2; use 1"):
        several.devices(2)


@pytest.mark.parametrize("method", ["pmap", "shard_map"])
def test_a_step_takes_what_place_and_join_batches_give(runs, method):
    losses = []
    for run in runs:
        devices = run.devices(None)[:3]
        state = run.place(run.init(run.keys), devices, method)
        batch = run.join_batches([{"image": games.points(12)}] * len(run.seeds))
        state, metrics = run.compile_step(0, devices, method)(state, batch)
        losses.append(np.ravel(metrics["d/loss"]))
    assert len(losses[0]) == 1 and len(losses[1]) == 3
    np.testing.assert_allclose(losses[0][0], losses[1][0], rtol=1e-5)


def test_a_population_has_the_states_of_players_who_move_later():
    experiment = games.points_experiment()
    game = experiment.game
    alone = dataclasses.replace(game, players={"d": game.players["d"]}, turns=(("d",),))
    experiment = dataclasses.replace(experiment, game_at=lambda step: alone if step == 0 else game)
    run = PopulationRun(experiment, gan.Config(), lambda *_: experiment, [{"seed": 0}, {"seed": 1}])
    assert run.game.game is game
    devices = run.devices(1)
    state, batch = run.place(run.init(run.keys), devices, "pmap"), run.join_batches([{"image": games.points(8)}] * 2)
    for step, names in ((0, {"d"}), (1, {"d", "g"})):
        state, metrics = run.compile_step(step, devices, "pmap")(state, batch)
        assert {name.partition("/")[0] for name in metrics} == names
    assert set(state.opt_states) == {"d", "g"}


CORES = """
import jax
from experiments import gan
from jaxgan.training.runs import use_cores
use_cores(gan.Config(population={population}))
print(len(jax.devices()))
"""


@pytest.mark.parametrize(
    ("population", "environment", "devices"),
    [(2, {}, None), (1, {}, 1), (2, {"JAX_NUM_CPU_DEVICES": "3"}, 3)],
)
def test_a_population_has_a_cpu_device_for_each_core(population, environment, devices):
    """Unless the user says how many."""
    own = {name: x for name, x in os.environ.items() if name not in ("JAX_NUM_CPU_DEVICES", "XLA_FLAGS")}
    command = [sys.executable, "-c", CORES.format(population=population)]
    done = subprocess.run(command, cwd=programs.ROOT, env=own | environment, capture_output=True, text=True, check=True)
    assert int(done.stdout) == (len(os.sched_getaffinity(0)) if devices is None else devices)

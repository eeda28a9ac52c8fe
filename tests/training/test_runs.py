"""Tests of single runs and populations: files, resuming, samples, divergence and invalid settings."""

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
    """The directory of a finished population with four seeds and 12 steps."""
    run_dir = tmp_path_factory.mktemp("runs") / "four"
    train(programs.Silent(), run_dir, 12, "--population", 4)
    return run_dir


def test_the_files_of_a_population(finished):
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
    for name, reduce in {"mean": np.mean, "low": np.min, "high": np.max}.items():
        np.testing.assert_allclose(curve[name], reduce(losses, axis=1), rtol=1e-4)
    assert shown["members"]["head"][:2] == ["member", "seed"] and len(shown["members"]["rows"]) == 4
    assert shown["headline"][0]["note"] == "mean of 4 members, mean of the last 12 steps"


def test_a_member_has_the_metrics_of_a_single_run_with_its_seed(finished, tmp_path, capsys):
    train(capsys, tmp_path / "solo", 12, "--seed", 2)
    for mine, solo in zip(rows(finished), rows(tmp_path / "solo")):
        assert mine["d/loss"][2] == pytest.approx(solo["d/loss"], rel=1e-4)
        assert mine["d/accuracy_real"][2] == pytest.approx(solo["d/accuracy_real"])
        assert mine["g/loss"][1] != pytest.approx(solo["g/loss"], rel=1e-4)


def test_a_resumed_population_writes_the_same_metrics(finished, tmp_path, capsys):
    run_dir = tmp_path / "run"
    train(capsys, run_dir, 6, "--population", 4)
    assert "resumed from step 6" in train(capsys, run_dir, 12, "--population", 4)
    assert (run_dir / "metrics.jsonl").read_bytes() == (finished / "metrics.jsonl").read_bytes()
    code, text = run(capsys, "train", "--steps", 12, "--run-dir", run_dir, *TINY, "--population", 2)
    assert code == 2 and f"--population is 4 in the run in {run_dir}, got 2" in text


def test_streamed_data_gives_the_same_metrics(finished, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(stepping, "RESIDENT_BYTES", -1)
    train(capsys, tmp_path / "run", 12, "--population", 4)
    assert (tmp_path / "run/metrics.jsonl").read_bytes() == (finished / "metrics.jsonl").read_bytes()


def test_a_member_that_diverged_in_a_metric_stays_excluded_after_resuming(finished, tmp_path, capsys):
    """The state of such a member may be finite, so a resumed run reads the last row of the metrics."""
    run_dir = tmp_path / "run"
    train(capsys, run_dir, 8, "--population", 4)
    file = run_dir / "metrics.jsonl"
    whole = [json.loads(line) for line in file.read_text().splitlines()]
    for name, values in whole[-1].items():
        whole[-1][name] = values if name == "step" else [*values[:3], None]
    file.write_text("".join(json.dumps(row) + "\n" for row in whole))
    train(capsys, run_dir, 12, "--population", 4)
    assert all(row["d/loss"][3] is None and row["d/loss"][0] is not None for row in rows(run_dir)[8:])


def test_a_sweep_over_a_setting_that_the_python_code_depends_on_is_an_error(tmp_path, capsys, monkeypatch):
    build = gan.build

    def build_with_condition(config, source=None):
        assert config.ema_decay > 0.5
        return build(config, source)

    monkeypatch.setattr(gan, "build", build_with_condition)
    code, text = run(capsys, "train", "--steps", 4, "--run-dir", tmp_path / "x", *TINY, "--sweep", "ema_decay=0.9,0.99")
    assert code == 2 and "--sweep cannot vary ema_decay in this experiment, because its Python code depends" in text


def test_samples_of_a_member(finished, tmp_path, capsys):
    drawn = []
    for member in (0, 3):
        out = tmp_path / f"{member}.npz"
        code, text = run(capsys, "sample", "--run-dir", finished, "--member", member, "--count", 3, "--out", out)
        assert code == 0 and f"3 samples of member {member} (seed {member}), step 12" in text
        drawn.append(np.load(out)["images"])
    assert drawn[0].shape == (3, 8, 8, 1) and not np.array_equal(*drawn)
    code, text = run(capsys, "sample", "--run-dir", finished, "--member", 4, "--out", tmp_path / "x.png")
    assert code == 2 and f"--member must be between 0 and 3 for the run in {finished}, got 4." in text


@pytest.fixture
def any_rate(monkeypatch):
    """Allow learning rates that are so high that weights overflow."""
    monkeypatch.setattr(gan.Config, "check", lambda self, **ranges: None)


def test_the_other_members_continue_if_one_diverges(any_rate, tmp_path, capsys):
    varied = ("--sweep", "learning_rate=2e-4,1e38")
    text = train(capsys, tmp_path / "run", 8, *varied)
    assert "member 1 (seed 0, learning_rate 1e+38) diverged" in text and "the other members continue" in text
    assert "diverged" not in train(capsys, tmp_path / "run", 12, *varied)  # the message is printed only once
    last = rows(tmp_path / "run")[-1]
    assert all(x[0] is not None and x[1] is None for name, x in last.items() if name != "step")
    table = json.loads(re.search(r'id="run">(.*?)</script>', (tmp_path / "run/report.html").read_text())[1])["members"]
    assert "diverged" in table["rows"][1] and "diverged" not in table["rows"][0]
    out = tmp_path / "x.png"
    code, text = run(capsys, "sample", "--run-dir", tmp_path / "run", "--member", 1, "--out", out)
    assert (
        code == 2
        and "learning_rate 1e+38) are not finite, because the training has diverged" in text
        and not out.exists()
    )
    assert run(capsys, "sample", "--run-dir", tmp_path / "run", "--out", out)[0] == 0 and out.exists()


def test_the_run_ends_if_all_members_diverge(any_rate, tmp_path, capsys):
    more = ("--run-dir", tmp_path / "run", *TINY, "--sweep", "learning_rate=1e38,2e38")
    code, text = run(capsys, "train", "--steps", 12, *more)
    assert code == 1 and re.search(r"error: The last remaining member diverged at step \d+: ", text)


def test_each_combination_of_values_and_seeds_is_a_member():
    config = gan.Config(seed=5, population=2, sweep=("learning-rate=1e-4,4e-4", "ema_decay=0.9"))
    assert list_member_settings(config) == [
        {"seed": 5, "learning_rate": 1e-4, "ema_decay": 0.9},
        {"seed": 6, "learning_rate": 1e-4, "ema_decay": 0.9},
        {"seed": 5, "learning_rate": 4e-4, "ema_decay": 0.9},
        {"seed": 6, "learning_rate": 4e-4, "ema_decay": 0.9},
    ]
    assert list_member_settings(gan.Config()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--sweep", "z_dim=4,8"],
            "'z_dim' cannot vary between members, because all members share one compiled program. ",
        ),
        (["--sweep", "rate=1"], "'rate' cannot vary"),
        (["--sweep", "dp_noise_multiplier=1"], "'dp_noise_multiplier' cannot vary"),
        (
            ["--sweep", "ema_decay=a,b"],
            "--sweep must contain numbers that are separated by commas, as in ema_decay=1e-4,4e-4, "
            "got 'ema_decay=a,b'.",
        ),
        (["--sweep", "ema_decay=0.9,2"], "--ema-decay must be between 0 and 1, got 2.0."),
        (["--sweep", "ema_decay=0.9", "ema_decay=0.8"], "--sweep contains ema_decay twice."),
        (["--population", "-5"], "--population must be between 1 and 4,096, got -5."),
        (["--population", "3", "--devices", "2"], "--devices must divide the number of members, 3, got 2. Use 1."),
        (
            ["--population", "2", "--seed", "4294967295"],
            "--population requires that all seeds are below 2**32, got 2 seeds starting at 4294967295.",
        ),
    ],
)
def test_invalid_populations_are_errors(arguments, message, tmp_path, capsys):
    code, text = run(capsys, "train", "--steps", 4, "--run-dir", tmp_path / "x", *programs.tiny("gan"), *arguments)
    assert code == 2 and message in text, text
    assert not (tmp_path / "x" / "metrics.jsonl").exists()


@pytest.fixture(scope="module")
def runs():
    """A run of a single game, and a run of a population of three members."""
    experiment, config = games.points_experiment(), gan.Config(seed=4)
    seeds = [{"seed": seed} for seed in (4, 5, 6)]
    return SingleRun(experiment, config), PopulationRun(experiment, config, lambda *_: experiment, seeds)


def test_make_run_returns_the_run_that_the_settings_describe():
    """It also removes the held-out examples from the training data."""
    config = gan.Config.tiny(num_held_out=32)
    experiment = gan.build(config)
    single = make_run(config, experiment, gan.build)
    assert isinstance(single, SingleRun) and not single.is_population and single.member_settings == []
    assert len(single.experiment.source) == len(experiment.source) - 32 and len(single.experiment.held_out) == 32
    several = make_run(gan.Config.tiny(sweep=("learning_rate=1e-4,2e-4",)), experiment, gan.build)
    assert isinstance(several, PopulationRun) and several.is_population
    assert isinstance(single, TrainingRun) and isinstance(several, TrainingRun)
    assert not isinstance(several, SingleRun)


def test_members_have_names_and_seeds(runs):
    single, several = runs
    assert single.seeds == (4,) and single.member_name(0) == ""
    assert several.seeds == (4, 5, 6) and several.member_name(2) == "member 2 (seed 6)"


def test_the_state_of_a_member_is_equal_to_that_of_a_single_run(runs):
    single, several = runs
    (alone,), states = single.member_states(single.init(single.keys)), several.member_states(several.init(several.keys))
    assert len(states) == 3
    jax.tree.map(np.testing.assert_array_equal, alone.params, states[0].params)
    # A probe takes the state of a single game, or the complete state of a population.
    assert jax.tree.leaves(single.probe_state(alone).params)[0].shape == jax.tree.leaves(alone.params)[0].shape
    whole = several.init(several.keys)
    assert several.probe_state(whole) is whole


def test_batches_of_members_are_stacked_along_the_second_axis(runs):
    single, several = runs
    batches = [np.full((8, 2), i) for i in range(3)]
    assert single.join_batches(batches[:1]) is batches[0]
    joined = several.join_batches([{"image": batch} for batch in batches])["image"]
    assert joined.shape == (8, 3, 2) and (joined[:, 1] == 1).all()


def test_devices_share_a_batch_or_the_members_evenly(runs):
    single, several = runs
    assert len(single.devices(2)) == 2 and len(several.devices(None)) == 3  # of eight devices
    single.check_batch_size(16, single.devices(8))
    several.check_batch_size(7, several.devices(None))  # the complete batch of a member is on one device
    with pytest.raises(
        ValueError, match=r"`batch_size` must be divisible by the number of devices, 8, got 12\. Use 8 or 16"
    ):
        single.check_batch_size(12, single.devices(8))
    with pytest.raises(ValueError, match=r"`devices` must divide the number of members, 3, got 2\. Use 1"):
        several.devices(2)


@pytest.mark.parametrize("method", ["pmap", "shard_map"])
def test_a_step_accepts_the_results_of_place_and_join_batches(runs, method):
    losses = []
    for run in runs:
        devices = run.devices(None)[:3]
        state = run.place(run.init(run.keys), devices, method)
        batch = run.join_batches([{"image": games.points(12)}] * len(run.seeds))
        state, metrics = run.compile_step(0, devices, method)(state, batch)
        losses.append(np.ravel(metrics["d/loss"]))
    assert len(losses[0]) == 1 and len(losses[1]) == 3
    np.testing.assert_allclose(losses[0][0], losses[1][0], rtol=1e-5)


def test_a_population_has_the_states_of_players_that_are_trained_later():
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
    """The environment variable JAX_NUM_CPU_DEVICES takes precedence."""
    own = {name: x for name, x in os.environ.items() if name not in ("JAX_NUM_CPU_DEVICES", "XLA_FLAGS")}
    command = [sys.executable, "-c", CORES.format(population=population)]
    done = subprocess.run(command, cwd=programs.ROOT, env=own | environment, capture_output=True, text=True, check=True)
    assert int(done.stdout) == (len(os.sched_getaffinity(0)) if devices is None else devices)

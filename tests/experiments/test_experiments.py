"""Every experiment with small settings trains, resumes and samples, and its step can be exported for every platform."""

import dataclasses
import importlib
import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import games, programs

from jaxgan import parallel
from jaxgan.cli import experiment_files
from jaxgan.data import Batches
from jaxgan.experiment import Display
from jaxgan.training import checkpoint_files, loop, steps as stepping
from jaxgan.training.options import RunOptions
from jaxgan.training.runs import SingleRun

pytestmark = pytest.mark.integration

NAMES = experiment_files.names()

SLOW = (
    "sngan",
    "wgan",
    "wgan_gp",
    "r3gan",
    "stylegan2",
    "cyclegan",
    "pix2pix",
    "srgan",
    "ctgan",
    "timegan",
)  # experiments that take 15 seconds or more to trace and compile
PLATFORMS = ("cpu", "cuda", "tpu")


def tiny(name, **changes):
    module = importlib.import_module(f"experiments.{name}")
    config = module.Config.tiny(**changes)
    return config, module.build(config)


def shapes(config, experiment):
    state = jax.eval_shape(experiment.game.init, jax.random.key(0))
    batch = experiment.source.read(Batches(experiment.source, config.batch_size, 0).indices(0))
    return state, jax.eval_shape(lambda b: stepping.prepare(None, b, experiment.medium.normalize), batch)


VARIANTS = [("dcgan", {"augment": "diffaugment"}), ("dcgan", {"augment": "ada"}), ("r3gan", {"networks": "dcgan"})]


QUICK = ("dcgan", "gan", "points", "vae", "wgan", "r3gan")  # together, they use all operations of the others
LOWERED = [pytest.param(name, {}, marks=() if name in QUICK else pytest.mark.slow) for name in NAMES]


@pytest.mark.parametrize(("name", "changes"), [*LOWERED, *VARIANTS], ids=str)
def test_step_can_be_exported_for_every_platform(name, changes):
    config, experiment = tiny(name, **changes)
    exported = jax.export.export(jax.jit(experiment.game.step), platforms=PLATFORMS)(*shapes(config, experiment))
    assert exported.platforms == PLATFORMS
    assert "stablehlo.dot_general" in exported.mlir_module()


COMPARISONS = {"ctgan": ["columns"], "series": ["bands", "pca", "tsne"], "timegan": ["bands", "pca", "tsne"]}


def leaves(capsys, run_dir):
    """Return the leaves of the newest checkpoint with their checksums, as text."""
    return programs.inspect(capsys, run_dir).split("\n", 1)[1]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["diffaugment", "ada"])
def test_resumed_run_with_augmentation_equals_an_uninterrupted_one(kind, tmp_path, capsys):
    flags = [*programs.tiny("dcgan"), "--augment", kind, "--ada-kimg", "0.1", "--ada-target", "-1"]
    ends = []
    for run, pauses in (("uninterrupted", [9]), ("resumed", [6, 9])):
        for steps in pauses:
            code, text = programs.run(capsys, "--steps", steps, "--run-dir", tmp_path / run, *flags)
            assert code == 0, text
        ends.append(leaves(capsys, tmp_path / run))
    assert ends[0] == ends[1]
    assert ("stats.ada." in ends[0]) == (kind == "ada")


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in NAMES])
def test_experiment_trains_resumes_and_samples(name, tmp_path, capsys):
    """A copy of a complete run without its last checkpoint is resumed, and ends like the run."""
    flags = [*programs.tiny(name), "--steps", 3, "--checkpoint-every", 2, "--sample-every", 2]
    whole, run_dir = tmp_path / "whole", tmp_path / "run"
    code, text = programs.run(capsys, "--run-dir", whole, *flags, experiment=name)
    assert code == 0, text
    shutil.copytree(whole, run_dir)
    checkpoint_files.remove(run_dir / "checkpoints", 3)
    for path in (run_dir / "samples").glob("step_0000003*"):
        path.unlink()
    code, text = programs.run(capsys, "--run-dir", run_dir, *flags, experiment=name)
    assert code == 0 and "resumed from step 2" in text, text
    assert leaves(capsys, run_dir) == leaves(capsys, whole)
    names = (*tiny(name)[1].display.sheets, *COMPARISONS.get(name, ()))
    sheets = {"", *(f"_{sheet}" for sheet in names)}
    suffix = ".txt" if name == "text" else ".png"
    drawn = {f"step_{step:07}{sheet}{suffix}" for step in (0, 2, 3) for sheet in sheets}
    assert {path.name for path in (run_dir / "samples").iterdir()} == drawn
    code, text = programs.run(
        capsys, "sample", "--run-dir", run_dir, "--count", 2, "--out", tmp_path / "a.npz", experiment=name
    )
    assert code == 0, text
    saved = dict(np.load(tmp_path / "a.npz"))
    of_samples = [array for array_name, array in saved.items() if array_name not in ("columns", "attribute_names")]
    assert {len(array) for array in of_samples} == {2}
    if name != "ctgan":  # NaN is a missing number of a table
        assert all(np.isfinite(array).all() for array in saved.values() if array.dtype.kind == "f")


SPREAD_OUT = ("gan", "points", "vae")  # the others take half a minute or more to compile


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in SPREAD_OUT else pytest.mark.slow) for name in NAMES]
)
def test_step_has_the_same_result_on_two_devices(name):
    config, experiment = tiny(name)
    # SGD replaces Adam: the first update of Adam depends on the sign of the gradient, which rounding changes near zero.
    with_sgd = {k: dataclasses.replace(p, optimizer=optax.sgd(0.01)) for k, p in experiment.game.players.items()}
    game, on = dataclasses.replace(experiment.game, players=with_sgd), parallel.devices(2)
    indices = Batches(experiment.source, config.batch_size * game.batch_multiple, 0).indices(0)
    batch = stepping.prepare(None, experiment.source.read(indices), experiment.medium.normalize)
    before = jax.jit(game.init)(jax.random.key(0))
    expected, expected_metrics = jax.jit(game.step)(before, batch)
    found, metrics = parallel.shard_map(game, on)(parallel.replicate(before, on), batch)
    assert games.change(before, expected, found) < 1e-5
    for key, value in expected_metrics.items():
        np.testing.assert_allclose(float(metrics[key]), float(value), rtol=1e-4, atol=1e-5, err_msg=key)


BAD = {
    "steps": (["--steps", 0], "--steps must be at least 1, got 0."),
    "learning rate": (["--learning-rate", "nan"], "--learning-rate must be between 0 and 1000000, got nan."),
    "data": (["--data", "/nowhere/at/all"], "does not exist"),
    "batch over devices": (
        ["--batch-size", 12],
        "--batch-size must be divisible by the number of devices, 8, got 12. Use 8 or 16.",
    ),
    "unknown flag": (["--batchsize", 8], "--batch-size"),
}


@pytest.mark.parametrize(("flags", "message"), BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("name", NAMES)
def test_invalid_flags_are_refused_with_a_message(name, flags, message, tmp_path, capsys):
    run_dir = tmp_path / "run"
    code, text = programs.run(capsys, *programs.tiny(name), *flags, "--run-dir", run_dir, experiment=name)
    assert message in " ".join(text.split())
    assert (code, "Traceback" in text, run_dir.exists()) == (2, False, False)


@pytest.mark.parametrize("name", NAMES)
def test_header_is_complete_and_settings_are_frozen(name):
    module = importlib.import_module(f"experiments.{name}")
    config = module.Config()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.seed = 1
    header = experiment_files.header(experiment_files.read_experiment(name))
    assert list(header) == ["Paper", "Command", "Presets", "Data", "Hardware", "Time", "Score"]
    assert len(module.__doc__.strip().splitlines()) == 9  # a title, an empty line and one line for each entry


def test_names_of_image_sheets_must_be_valid_names_of_files():
    with pytest.raises(ValueError, match=r"The names of `sheets` must consist of letters, .*, got '../up'"):
        Display(sheets={"../up": lambda nets, batch, keys: batch["image"]})


def count_products(text):
    """Return the number of matrix products and convolutions in the text of a compiled program."""
    return text.count(" dot(") + text.count(" convolution(")


def compiled(game, state, batch):
    return jax.jit(game.step).lower(state, batch).compile().as_text()


@pytest.mark.parametrize("transform", ["jit", pytest.param("pmap", marks=pytest.mark.slow)])
def test_both_players_share_one_forward_pass_of_the_generator(transform):
    """Both players of DCGAN use the same latents, so the compiled step computes the fakes once.

    If the generator's player used other latents, the step would have the products of one more forward pass.
    """
    config, experiment = tiny("dcgan", base_resolution=2)
    game = experiment.game
    state, batch = shapes(config, experiment)
    player = game.players["g"]

    def with_other_latents(nets, batch, keys, step):
        return player.loss(nets, batch, jax.vmap(jax.random.fold_in, (0, None))(keys, 99), step)

    other_player = dataclasses.replace(player, loss=with_other_latents)
    apart = dataclasses.replace(game, players={**game.players, "g": other_player})
    if transform == "jit":
        shared, separate = (count_products(compiled(g, state, batch)) for g in (game, apart))
    else:
        on = parallel.devices(2)

        def step(g):
            return jax.pmap(g.step, "data", in_axes=(None, 0), out_axes=None, devices=on)

        halves = jax.tree.map(lambda x: jax.ShapeDtypeStruct((2, 4, *x.shape[1:]), x.dtype), batch)
        shared, separate = (count_products(step(g).lower(state, halves).compile().as_text()) for g in (game, apart))
    generator = jax.jit(
        lambda params, z: game.nets["g"].module.apply(params, z, train=True, mutable=["batch_stats"])[0]
    )
    variables = {"params": state.params["g"], **state.stats["g"]}
    alone = count_products(generator.lower(variables, jnp.zeros((8, config.z_dim))).compile().as_text())
    assert alone == 7  # the linear layer, two transposed convolutions, and two sums for each normalisation
    assert separate - shared == alone


def test_game_can_change_during_training(tmp_path):
    """``game_at`` returns a game with more turns for the warm-up, over the same state."""
    config, experiment = tiny("gan", steps=6)
    usual = experiment.game
    warm_up = dataclasses.replace(usual, turns=(("d",), ("d",), ("g",)))
    warm_up = dataclasses.replace(warm_up, players={**warm_up.players, "g": with_mark(warm_up.players["g"])})

    def game_at(step):
        return warm_up if step < 3 else usual

    # The number of examples that a step reads follows from ``game``, so it is the game with the most turns.
    changing = dataclasses.replace(experiment, game=warm_up, game_at=game_at)
    loop.train(SingleRun(changing, config), config, RunOptions(devices=1, quiet=True), tmp_path, "gan")
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert ["g/warm_up" in row for row in rows] == [True] * 3 + [False] * 3


def with_mark(player):
    """Return the player with a further metric ``warm_up``."""

    def loss(*arguments):
        terms = player.loss(*arguments)
        return terms.replace(metrics={**terms.metrics, "warm_up": jnp.ones(())})

    return dataclasses.replace(player, loss=loss)

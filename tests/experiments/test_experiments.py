"""Every experiment, tiny: it trains, the generator's pass is shared, and it lowers for every platform."""

import dataclasses
import importlib
import json
import pkgutil

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import games, programs

import experiments
from jaxgan import parallel
from jaxgan.data import Batches
from jaxgan.experiment import Display
from jaxgan.training import loop, steps as stepping
from jaxgan.training.options import RunOptions
from jaxgan.training.runs import SingleRun

pytestmark = pytest.mark.integration

NAMES = [module.name for module in pkgutil.iter_modules(experiments.__path__) if module.name != "benchmarks"]

SLOW = (
    "sngan",
    "wgan",
    "wgan_gp",
    "r3gan",
    "stylegan2",
    "cyclegan",
    "pix2pix",
    "srgan",
)  # a quarter of a minute or more to trace and compile
PLATFORMS = ("cpu", "cuda", "tpu")


def tiny(name, **changes):
    module = importlib.import_module(f"experiments.{name}")
    config = module.Config.tiny(**changes)
    return config, module.build(config)


def shapes(config, experiment):
    state = jax.eval_shape(experiment.game.init, jax.random.key(0))
    batch = experiment.source.read(Batches(experiment.source, config.batch_size, 0).indices(0))
    return state, jax.eval_shape(lambda b: stepping.prepare(None, b), batch)


VARIANTS = [("dcgan", {"augment": "diffaugment"}), ("dcgan", {"augment": "ada"}), ("r3gan", {"networks": "dcgan"})]


QUICK = ("dcgan", "gan", "points", "vae", "wgan", "r3gan")  # the others' operations are among theirs
LOWERED = [pytest.param(name, {}, marks=() if name in QUICK else pytest.mark.slow) for name in NAMES]


@pytest.mark.parametrize(("name", "changes"), [*LOWERED, *VARIANTS], ids=str)
def test_the_step_lowers(name, changes):
    config, experiment = tiny(name, **changes)
    exported = jax.export.export(jax.jit(experiment.game.step), platforms=PLATFORMS)(*shapes(config, experiment))
    assert exported.platforms == PLATFORMS
    assert "stablehlo.dot_general" in exported.mlir_module()


def leaves(capsys, run_dir):
    """Each leaf of the newest checkpoint, with its checksum."""
    return programs.inspect(capsys, run_dir).split("\n", 1)[1]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["diffaugment", "ada"])
def test_it_trains_and_resumes_with_augmentation(kind, tmp_path, capsys):
    flags = [*programs.tiny("dcgan"), "--augment", kind, "--ada-kimg", "0.1", "--ada-target", "-1"]
    ends = []
    for run, pauses in (("whole", [9]), ("resumed", [6, 9])):
        for steps in pauses:
            code, text = programs.run(capsys, "--steps", steps, "--run-dir", tmp_path / run, *flags)
            assert code == 0, text
        ends.append(leaves(capsys, tmp_path / run))
    assert ends[0] == ends[1]
    assert ("stats.ada." in ends[0]) == (kind == "ada")


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in NAMES])
def test_it_trains_resumes_and_samples(name, tmp_path, capsys):
    flags = programs.tiny(name)
    run_dir = tmp_path / "run"
    for steps, folder in ((3, tmp_path / "whole"), (2, run_dir), (3, run_dir)):
        code, text = programs.run(capsys, "--steps", steps, "--run-dir", folder, *flags, experiment=name)
        assert code == 0, text
    assert "resumed from step 2" in text
    assert leaves(capsys, run_dir) == leaves(capsys, tmp_path / "whole")
    sheets = {"", *(f"_{sheet}" for sheet in tiny(name)[1].display.sheets)}
    drawn = {f"step_{step:07}{sheet}.png" for step in (0, 2, 3) for sheet in sheets}
    assert {path.name for path in (run_dir / "samples").iterdir()} == drawn
    code, text = programs.run(
        capsys, "sample", "--run-dir", run_dir, "--count", 2, "--out", tmp_path / "a.npz", experiment=name
    )
    assert code == 0, text
    assert np.isfinite(np.load(tmp_path / "a.npz")["images"]).all()


SPREAD_OUT = ("gan", "points", "vae")  # the others compile for half a minute or more


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in SPREAD_OUT else pytest.mark.slow) for name in NAMES]
)
def test_same_result_on_two_devices(name):
    config, experiment = tiny(name)
    # Gentle steps, as Adam's first ones are of a gradient's sign, which rounding decides where it is near zero.
    gentle = {k: dataclasses.replace(p, optimizer=optax.sgd(0.01)) for k, p in experiment.game.players.items()}
    game, on = dataclasses.replace(experiment.game, players=gentle), parallel.devices(2)
    indices = Batches(experiment.source, config.batch_size * game.batch_multiple, 0).indices(0)
    batch = stepping.prepare(None, experiment.source.read(indices))
    before = jax.jit(game.init)(jax.random.key(0))
    expected, told = jax.jit(game.step)(before, batch)
    found, metrics = parallel.shard_map(game, on)(parallel.replicate(before, on), batch)
    assert games.change(before, expected, found) < 1e-5
    for key, value in told.items():
        np.testing.assert_allclose(float(metrics[key]), float(value), rtol=1e-4, atol=1e-5, err_msg=key)


BAD = {
    "no steps": (["--steps", 0], "--steps must be at least 1, got 0."),
    "a rate": (["--learning-rate", "nan"], "--learning-rate must be between 0 and 1000000, got nan."),
    "data": (["--data", "/nowhere/at/all"], "does not exist"),
    "batch over devices": (
        ["--batch-size", 12],
        "--batch-size must be divisible by the number of devices, 8, got 12. Use 8 or 16.",
    ),
    "unknown flag": (["--batchsize", 8], "--batch-size"),
}


@pytest.mark.parametrize(("flags", "told"), BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("name", NAMES)
def test_what_is_wrong_is_told(name, flags, told, tmp_path, capsys):
    run_dir = tmp_path / "run"
    code, text = programs.run(capsys, *programs.tiny(name), *flags, "--run-dir", run_dir, experiment=name)
    assert told in " ".join(text.split())
    assert (code, "Traceback" in text, run_dir.exists()) == (2, False, False)


@pytest.mark.parametrize("name", NAMES)
def test_the_header_is_a_record_and_settings_are_frozen(name):
    module = importlib.import_module(f"experiments.{name}")
    config = module.Config()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.seed = 1
    for told in ("Paper", "Command", "Data", "Hardware", "Time", "Score"):
        assert told in module.__doc__


def test_a_sheet_has_a_name_that_a_file_can_have():
    with pytest.raises(ValueError, match=r"The names of `sheets` must consist of letters, .*, got '../up'"):
        Display(sheets={"../up": lambda nets, batch, keys: batch["image"]})


def products(text):
    """Matrix products and convolutions in a compiled program."""
    return text.count(" dot(") + text.count(" convolution(")


def compiled(game, state, batch):
    return jax.jit(game.step).lower(state, batch).compile().as_text()


@pytest.mark.parametrize("spread", ["jit", pytest.param("pmap", marks=pytest.mark.slow)])
def test_the_generators_forward_pass_occurs_once(spread):
    """DCGAN with its BatchNorm: both players' turns share latents, so D's fakes are G's.

    Against the same game whose generator's player draws other latents: as many products more as G has.
    """
    config, experiment = tiny("dcgan", base_resolution=2)
    game = experiment.game
    state, batch = shapes(config, experiment)
    player = game.players["g"]

    def elsewhere(nets, batch, keys, step):
        return player.loss(nets, batch, jax.vmap(jax.random.fold_in, (0, None))(keys, 99), step)

    apart = dataclasses.replace(game, players={**game.players, "g": dataclasses.replace(player, loss=elsewhere)})
    if spread == "jit":
        shared, twice = (products(compiled(g, state, batch)) for g in (game, apart))
    else:
        on = parallel.devices(2)

        def step(g):
            return jax.pmap(g.step, "data", in_axes=(None, 0), out_axes=None, devices=on)

        halves = jax.tree.map(lambda x: jax.ShapeDtypeStruct((2, 4, *x.shape[1:]), x.dtype), batch)
        shared, twice = (products(step(g).lower(state, halves).compile().as_text()) for g in (game, apart))
    generator = jax.jit(
        lambda params, z: game.nets["g"].module.apply(params, z, train=True, mutable=["batch_stats"])[0]
    )
    variables = {"params": state.params["g"], **state.stats["g"]}
    alone = products(generator.lower(variables, jnp.zeros((8, config.z_dim))).compile().as_text())
    assert alone == 7  # the linear layer, two transposed convolutions, and two sums for each normalisation
    assert twice - shared == alone


def test_games_may_change_with_the_step(tmp_path):
    """``game_at``: a warm-up with more turns is another game over the same state, each compiled once."""
    config, experiment = tiny("gan", steps=6)
    usual = experiment.game
    warm = dataclasses.replace(usual, turns=(("d",), ("d",), ("g",)))
    warm = dataclasses.replace(warm, players={**warm.players, "g": marked(warm.players["g"])})

    def game_at(step):
        return warm if step < 3 else usual

    # The one with the most turns says how much is read; a batch is config.batch_size a turn.
    changing = dataclasses.replace(experiment, game=warm, game_at=game_at)
    loop.train(SingleRun(changing, config), config, RunOptions(devices=1, quiet=True), tmp_path, "gan")
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert ["g/warm" in row for row in rows] == [True] * 3 + [False] * 3


def marked(player):
    """The player, which also logs that it is the warm-up's."""

    def loss(*arguments):
        terms = player.loss(*arguments)
        return terms.replace(metrics={**terms.metrics, "warm": jnp.ones(())})

    return dataclasses.replace(player, loss=loss)

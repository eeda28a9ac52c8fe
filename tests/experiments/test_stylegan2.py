"""StyleGAN2 as an experiment: its averages, its lazy terms, its classes, its sheets and the authors' settings."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import programs

from experiments import stylegan2 as experiment
from jaxgan import latents
from jaxgan.cli.experiment_program import ExperimentProgram
from jaxgan.cli.train import Train
from jaxgan.core.keys import fold_in_keys
from jaxgan.data import normalize
from jaxgan.editing.styles import sefa
from jaxgan.models import stylegan2
from jaxgan.training.checkpoints import Checkpoints, checksums


def tiny(**changes):
    return experiment.build(experiment.Config.tiny(**changes))


def examples(built, count=8):
    return normalize(built.source.read(np.arange(count)))


def test_the_averages_half_life_grows_with_the_images_seen():
    """train.py's 0.5 ** (batch / max(min(ema_kimg * 1000, images seen * ramp), 1e-8)), by hand."""
    config = experiment.Config(batch_size=64, ema_kimg=20.0, ema_rampup=0.05)
    decays = {0: 0.0, 1: 0.5**20, 20: 0.5, 200: 0.5**0.1, 6250: 0.5**0.0032, 10**7: 0.5**0.0032}
    for step, decay in decays.items():
        assert float(config.ema_decay_at(jnp.int32(step))) == pytest.approx(decay, rel=1e-5), step
    without = dataclasses.replace(config, ema_rampup=0.0)
    assert float(without.ema_decay_at(jnp.int32(0))) == pytest.approx(0.5**0.0032, rel=1e-6)


def test_a_decay_of_ones_own_takes_the_half_lifes_place():
    assert tiny(ema_decay=0.9).game.ema == {"mapping": 0.9, "synthesis": 0.9}
    ema_decay_at = tiny().game.ema["mapping"]
    assert callable(ema_decay_at) and ema_decay_at(jnp.int32(0)) == 0


# train.py's cfg_specs and what follows them; kimg * 1000 / batch steps.
AUTHORS = {
    ("paper256",): {
        "resolution": 256,
        "batch_size": 64,
        "steps": 390_625,
        "learning_rate": 0.0025,
        "r1_gamma": 1.0,
        "mapping_layers": 8,
        "mbstd_group_size": 8,
        "channel_base": 16384,
        "ema_kimg": 20.0,
        "ema_rampup": 0.0,
        "d_architecture": "resnet",
        "style_mixing_prob": 0.9,
        "pl_weight": 2.0,
    },
    ("cifar",): {
        "resolution": 32,
        "batch_size": 64,
        "steps": 1_562_500,
        "learning_rate": 0.0025,
        "r1_gamma": 0.01,
        "mapping_layers": 2,
        "mbstd_group_size": 32,
        "channel_base": 32768,
        "ema_kimg": 500.0,
        "ema_rampup": 0.05,
        "d_architecture": "orig",
        "style_mixing_prob": 0.0,
        "pl_weight": 0.0,
    },
    ("auto", "--resolution", "1024", "--batch-size", "32"): {
        "learning_rate": 0.002,
        "r1_gamma": 6.5536,
        "mapping_layers": 2,
        "mbstd_group_size": 4,
        "channel_base": 32768,
        "ema_kimg": 10.0,
        "ema_rampup": 0.05,
        "steps": 781_250,
        "d_architecture": "resnet",
        "style_mixing_prob": 0.9,
        "pl_weight": 2.0,
    },
    ("auto", "--resolution", "256", "--batch-size", "16"): {
        "learning_rate": 0.0025,
        "r1_gamma": 0.8192,
        "channel_base": 16384,
        "ema_kimg": 5.0,
        "steps": 1_562_500,
    },
}
SHARED = {
    "z_dim": 512,
    "w_dim": 512,
    "channel_max": 512,
    "conv_clamp": 256.0,
    "num_low_precision_res": 4,
    "beta1": 0.0,
    "beta2": 0.99,
    "r1_interval": 16,
    "pl_interval": 4,
    "augment": "ada",
    "ada_target": 0.6,
    "ada_kimg": 500.0,
    "ema_decay": 0.0,
}


@pytest.mark.parametrize("flags", AUTHORS, ids=" ".join)
def test_presets_are_the_authors_settings(flags):
    program = ExperimentProgram("stylegan2", experiment.Config, experiment.build, "", experiment.PRESETS)
    preset, *words = flags
    given = {name[2:].replace("-", "_"): int(value) for name, value in zip(words[::2], words[1::2])}
    config = dataclasses.asdict(Train(preset=preset, settings=given).read_settings(program))
    for name, value in (SHARED | AUTHORS[flags]).items():
        assert config[name] == pytest.approx(value) if isinstance(value, float) else config[name] == value, name


def test_auto_has_to_know_the_size(tmp_path, capsys):
    flags = ["--preset", "auto", "--resolution", "None", "--run-dir", tmp_path / "run"]
    code, text = programs.run(capsys, *flags, experiment="stylegan2")
    told = "--preset auto derives settings from --resolution and --batch-size; set --resolution."
    assert code == 2 and told in text


def test_a_size_that_does_not_grow_from_the_smallest():
    with pytest.raises(ValueError, match=r"`resolution` must be a power of two times `base_resolution` \(3\), got 8"):
        tiny(base_resolution=3)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"mbstd_group_size": 3},
            "must divide the 8 examples of `batch_size` 8, got 3; use `mbstd_group_size` 2, or `batch_size` 6 or 9.",
        ),
        (
            {"mbstd_group_size": 3, "grad_accum_steps": 2},
            "the 4 examples of `batch_size` 8 and `grad_accum_steps` 2, .* or `batch_size` 6 or 12.",
        ),
    ],
)
def test_a_group_that_does_not_divide_the_batch(changes, told):
    with pytest.raises(ValueError, match=told):
        tiny(**changes)
    tiny(**changes | {"mbstd_group_size": 0}), tiny(**changes | {"mbstd_group_size": 100})  # none, or all of them


def trained(built, states, steps):
    """The states before each of these steps, the same but for the step's number, after it, and the metrics."""
    step = jax.jit(built.game.step)
    return [step(states.replace(step=jnp.int32(n)), examples(built)) for n in steps]


@pytest.mark.slow
def test_penalties_are_due_every_so_many_steps():
    built = tiny(augment="none", r1_interval=3, pl_interval=2, r1_gamma=1.0)
    before = jax.jit(built.game.init)(jax.random.key(0))
    for n, (after, metrics) in enumerate(trained(built, before, range(5))):
        r1, path = metrics["d/r1"], metrics["g/path"]
        assert (bool(r1.due), bool(path.due)) == (n % 3 == 0, n % 2 == 0)
        assert (float(r1) > 0, float(path) > 0) == (n % 3 == 0, n % 2 == 0)
        moved = float(after.stats["path"]["batch_stats"]["mean"])
        assert (moved > 0) == (n % 2 == 0)
        assert float(metrics["g/path_mean"]) == pytest.approx(moved)
        # It is the mean length of half of them: weight * n * (lengths - mean)^2, of which the mean is at least this.
        if path.due:
            assert float(path) >= 2 * 2 * (moved / 0.01 - moved) ** 2 * 0.99
        assert np.any(after.stats["mapping"]["moving"]["w"])


@pytest.mark.slow
def test_terms_that_are_left_out():
    built = tiny(augment="none", r1_gamma=0.0, pl_weight=0.0, style_mixing_prob=0.0, mbstd_group_size=0)
    assert set(built.game.nets) == {"mapping", "synthesis", "d"}
    state = jax.eval_shape(built.game.init, jax.random.key(0))
    metrics = jax.eval_shape(built.game.step, state, examples(built))[1]
    assert not {"d/r1", "g/path", "g/path_mean", "d/augment_p"} & set(metrics)


@pytest.fixture(scope="module")
def conditional():
    built = tiny(conditional=True)
    return built, jax.jit(built.game.init)(jax.random.key(0))


@pytest.mark.integration
def test_classes(conditional):
    built, state = conditional
    assert len(built.sampling.classes) == 10
    metrics = jax.eval_shape(built.game.step, state, examples(built))[1]
    assert {"d/augment_p", "d/r1", "g/path"} <= set(metrics)
    z, sample = built.draw_latents(0, np.arange(20)), built.sampler()
    images = sample(state, z)
    # Sample i is the same in any batch; classes are in turn; a mixture of all of one is that one.
    own = jax.nn.one_hot(jnp.arange(2), 10)
    np.testing.assert_allclose(sample(state, z[:2], own), images[:2], atol=1e-5)
    assert np.abs(sample(state, z, (jnp.arange(20) + 1) % 10) - images).max(axis=(1, 2, 3)).min() > 1e-3


@pytest.mark.integration
def test_what_samples_are_made_with(conditional):
    """Mapping with its mean w, and synthesis; no discriminator, no path's mean."""
    variables = conditional[0].variables(conditional[1])
    assert {name: set(own) for name, own in variables.items()} == {
        "mapping": {"params", "moving"},
        "synthesis": {"params"},
    }


@pytest.mark.slow
def test_sheets(conditional):
    """Where rows are: by the images that samples of the same latents, and of one style, are."""
    built, state = conditional
    moving = {"w": jnp.full(4, 0.5)}

    def noisy(path, x):
        return jnp.full_like(x, 0.5) if "strength" in jax.tree_util.keystr(path) else x

    synthesis = jax.tree_util.tree_map_with_path(noisy, state.ema["synthesis"])
    state = state.replace(
        stats={**state.stats, "mapping": {"moving": moving}}, ema={**state.ema, "synthesis": synthesis}
    )
    nets = built.game.functions(state)
    batch = {**examples(built, 32), "label": jnp.arange(32) % 10}
    keys = jax.random.split(jax.random.key(1), 32)
    draw = jax.jit(lambda: {name: sheet(nets, batch, keys) for name, sheet in built.display.sheets.items()})()
    z = built.sampling.latents(keys)
    plain = np.asarray(jax.jit(functools.partial(built.sampling.generate, nets))(z, batch["label"]))
    rows = {name: np.asarray(images).reshape(-1, 8, *images.shape[1:]) for name, images in draw.items()}
    count = {"mixing": 10, "truncation": 8, "noise": 4, "interpolation": 8, "directions": 8}
    assert {name: len(x) for name, x in rows.items()} == count
    close = functools.partial(np.testing.assert_allclose, atol=1e-5)
    for half in (0, 1):
        ours, theirs = plain[8 * half : 8 * half + 8], plain[16 + 8 * half : 24 + 8 * half]
        close(rows["mixing"][5 * half], ours)
        close(rows["mixing"][5 * half + 1], theirs)
        close(rows["truncation"][4 * half], ours)
        average = rows["truncation"][4 * half + 3]
        close(average, np.broadcast_to(average[:1], average.shape))
    # Each mixed row has styles of both; of four layers the first two are coarse, the next is middle, the last fine.
    ws = nets.mapping(z[:1], batch["label"][:1]), nets.mapping(z[16:17], batch["label"][16:17])
    for row, of_theirs in ((2, [0, 1]), (3, [2]), (4, [3])):
        mixed = ws[0].at[:, np.array(of_theirs)].set(ws[1][:, np.array(of_theirs)])
        noise = built.game.nets["synthesis"].module.constant_noise(jax.random.key(experiment.NOISE_SEED))
        close(rows["mixing"][row][:1], nets.synthesis(mixed, noise))
    close(rows["noise"][0], plain[:8])
    mapped = nets.mapping(z[:8], batch["label"][:8])
    close(rows["noise"][1], nets.synthesis(mapped))
    assert np.abs(rows["noise"][2] - rows["noise"][0]).max() > 1e-2
    # Ten times the deviation, from black on: of eight, among them the row above.
    deviation = (rows["noise"][3] + 1) / 10
    assert deviation.min() >= 0 and deviation.max() > 1e-2
    for pair in range(4):
        arc, line = rows["interpolation"][2 * pair : 2 * pair + 2]
        close(arc[0], plain[pair])
        close(arc[[0, -1]], line[[0, -1]])
        other = nets.synthesis(nets.mapping(z[4 + pair :][:1], batch["label"][pair : pair + 1]), noise)
        close(arc[-1:], other)
        assert np.abs(arc - line).max() > 1e-4
    directions = sefa(built.sampling.styles.weights(nets))[0]
    w = nets.mapping(z, batch["label"])[:, 0]
    for row in range(8):
        n, direction = row // 4, directions[row % 4]
        far = 3 * (w @ direction).std() * direction
        ends = jnp.stack([w[n] - far, w[n] + far])[:, None].repeat(4, 1)
        np.testing.assert_allclose(rows["directions"][row][[0, -1]], nets.synthesis(ends, noise), atol=1e-4)


@pytest.mark.slow
def test_it_resumes_with_all_that_moves_besides_parameters(tmp_path, capsys):
    flags = [
        *programs.tiny("stylegan2"),
        "--ada-kimg",
        "0.1",
        "--ada-target",
        "-1",
        "--pl-interval",
        2,
        "--r1-interval",
        3,
    ]
    states = []
    for run, pauses in (("whole", [7]), ("resumed", [3, 5, 7])):
        for steps in pauses:
            arguments = ["--steps", steps, "--run-dir", tmp_path / run, *flags]
            code, text = programs.run(capsys, *arguments, experiment="stylegan2")
            assert code == 0, text
        states.append(Checkpoints(tmp_path / run / "checkpoints", read_only=True).read(7))
    assert checksums(states[0]) == checksums(states[1])
    moved = (
        "stats.ada.ada.p",
        "stats.path.batch_stats.mean",
        "stats.mapping.moving.w",
        "ema.synthesis.params.constant",
    )
    for name in moved:
        assert np.abs(states[0][name]).max() > 1e-4, name
    assert {"stats.ada.batch_stats.signs", "ema.mapping.params.linear_0.kernel"} <= set(states[0])


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_as_if_it_had_not_been(tmp_path, capsys):
    """Twenty times by SIGKILL, with all that moves besides parameters: ADA's probability, the mean length, the mean w."""
    flags = [*programs.tiny("stylegan2"), "--augment", "ada", "--ada-kimg", 0.1, "--ada-target", -1, "--pl-interval", 2]
    command = ["train", "--steps", 300, "--checkpoint-every", 10, "--sample-every", 1000, *flags]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert programs.killed(command, whole, broken, 20, experiment="stylegan2", within=3) >= 19
    code, told = programs.run(capsys, "inspect", "--run-dir", whole, experiment="stylegan2")
    assert code == 0 and "step 300" in told
    assert programs.run(capsys, "inspect", "--run-dir", broken, experiment="stylegan2") == (0, told)
    assert (broken / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    found = Checkpoints(broken / "checkpoints", read_only=True).read()
    for name in ("stats.ada.ada.p", "stats.path.batch_stats.mean", "stats.mapping.moving.w"):
        assert f"  {name}\n" in told and np.abs(found[name]).max() > 1e-4, name


def products(function, *inputs):
    text = jax.jit(function).lower(*inputs).compile().as_text()
    return text.count(" dot(") + text.count(" convolution(")


@pytest.mark.slow
def test_the_generators_forward_pass_occurs_once():
    """Against the same game whose generator's player draws other latents: as many products more as a pass has."""
    built = tiny(augment="none", r1_gamma=0.0, pl_weight=0.0)
    game, player = built.game, built.game.players["g"]

    def elsewhere(nets, batch, keys, step):
        return player.loss(nets, batch, jax.vmap(jax.random.fold_in, (0, None))(keys, 99), step)

    apart = dataclasses.replace(game, players={**game.players, "g": dataclasses.replace(player, loss=elsewhere)})
    state = jax.eval_shape(game.init, jax.random.key(0))
    keys = jax.random.split(jax.random.key(0), 8)

    def alone(state):
        nets = game.functions(state, train=True, ema=False)
        z = latents(keys, 4), latents(fold_in_keys(keys), 4)
        return nets.synthesis(stylegan2.mix_styles(nets.mapping(z[0]), nets.mapping(z[1]), keys), keys)

    shared, twice = (products(g.step, state, examples(built)) for g in (game, apart))
    assert twice - shared == products(alone, state) > 10

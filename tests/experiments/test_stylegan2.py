"""The experiment StyleGAN2: moving averages, lazy terms, classes, image sheets and the authors' settings."""

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


def test_half_life_of_the_average_grows_with_the_number_of_images():
    """The decay equals 0.5 ** (batch / max(min(ema_kimg * 1000, images * ramp), 1e-8)) of the authors' train.py."""
    config = experiment.Config(batch_size=64, ema_kimg=20.0, ema_rampup=0.05)
    decays = {0: 0.0, 1: 0.5**20, 20: 0.5, 200: 0.5**0.1, 6250: 0.5**0.0032, 10**7: 0.5**0.0032}
    for step, decay in decays.items():
        assert float(config.ema_decay_at(jnp.int32(step))) == pytest.approx(decay, rel=1e-5), step
    constant = dataclasses.replace(config, ema_rampup=0.0)
    assert float(constant.ema_decay_at(jnp.int32(0))) == pytest.approx(0.5**0.0032, rel=1e-6)


def test_ema_decay_replaces_the_half_life():
    assert tiny(ema_decay=0.9).game.ema == {"mapping": 0.9, "synthesis": 0.9}
    ema_decay_at = tiny().game.ema["mapping"]
    assert callable(ema_decay_at) and ema_decay_at(jnp.int32(0)) == 0


# Settings that follow from cfg_specs in the authors' train.py, with kimg * 1000 / batch steps.
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


def test_auto_requires_the_resolution(tmp_path, capsys):
    flags = ["--preset", "auto", "--resolution", "None", "--run-dir", tmp_path / "run"]
    code, text = programs.run(capsys, *flags, experiment="stylegan2")
    message = "The preset 'auto' derives settings from --resolution and --batch-size, so --resolution must be set."
    assert code == 2 and message in text


def test_resolution_must_be_the_base_resolution_times_a_power_of_two():
    with pytest.raises(ValueError, match=r"`resolution` must be a power of two times `base_resolution` \(3\), got 8"):
        tiny(base_resolution=3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"mbstd_group_size": 3},
            "must divide `batch_size` 8, got 3; use `mbstd_group_size` 2, or `batch_size` 6 or 9.",
        ),
        (
            {"mbstd_group_size": 3, "grad_accum_steps": 2},
            "must divide 4, which is `batch_size` 8 / `grad_accum_steps` 2, got 3; .* or `batch_size` 6 or 12.",
        ),
    ],
)
def test_group_size_must_divide_the_batch(changes, message):
    with pytest.raises(ValueError, match=message):
        tiny(**changes)
    (
        tiny(**changes | {"mbstd_group_size": 0}),
        tiny(**changes | {"mbstd_group_size": 100}),
    )  # no layer, or one group for the complete batch


def run_steps(built, state, steps):
    """Run each of these steps from the same state, and return the new states with the metrics."""
    step = jax.jit(built.game.step)
    return [step(state.replace(step=jnp.int32(n)), examples(built)) for n in steps]


@pytest.mark.slow
def test_penalties_are_computed_at_their_intervals():
    built = tiny(augment="none", r1_interval=3, pl_interval=2, r1_gamma=1.0)
    before = jax.jit(built.game.init)(jax.random.key(0))
    for n, (after, metrics) in enumerate(run_steps(built, before, range(5))):
        r1, path = metrics["d/r1"], metrics["g/path"]
        assert (bool(r1.due), bool(path.due)) == (n % 3 == 0, n % 2 == 0)
        assert (float(r1) > 0, float(path) > 0) == (n % 3 == 0, n % 2 == 0)
        mean = float(after.stats["path"]["batch_stats"]["mean"])
        assert (mean > 0) == (n % 2 == 0)
        assert float(metrics["g/path_mean"]) == pytest.approx(mean)
        # The penalty is weight * n * (lengths - mean)^2, so its mean is at least the value at the mean length.
        if path.due:
            assert float(path) >= 2 * 2 * (mean / 0.01 - mean) ** 2 * 0.99
        assert np.any(after.stats["mapping"]["moving"]["w"])


@pytest.mark.slow
def test_terms_with_weight_zero_are_omitted():
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
def test_conditional_samples_depend_on_their_class_only(conditional):
    built, state = conditional
    assert len(built.sampling.classes) == 10
    metrics = jax.eval_shape(built.game.step, state, examples(built))[1]
    assert {"d/augment_p", "d/r1", "g/path"} <= set(metrics)
    z, sample = built.draw_latents(0, np.arange(20)), built.sampler()
    images = sample(state, z)
    # Sample i is the same in any batch, and by default its class is i modulo 10. A one-hot label equals its class.
    one_hot = jax.nn.one_hot(jnp.arange(2), 10)
    np.testing.assert_allclose(sample(state, z[:2], one_hot), images[:2], atol=1e-5)
    assert np.abs(sample(state, z, (jnp.arange(20) + 1) % 10) - images).max(axis=(1, 2, 3)).min() > 1e-3


@pytest.mark.integration
def test_variables_of_sampling_exclude_the_discriminator(conditional):
    """They contain the mapping network with its mean w and the synthesis network."""
    variables = conditional[0].variables(conditional[1])
    assert {name: set(own) for name, own in variables.items()} == {
        "mapping": {"params", "moving"},
        "synthesis": {"params"},
    }


@pytest.mark.slow
def test_image_sheets_have_the_expected_rows(conditional):
    """Rows are compared with samples from the same latents and styles."""
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
    # Each mixed row has styles of both sources. The first two of the four layers are coarse, the third is middle, and
    # the last is fine.
    ws = nets.mapping(z[:1], batch["label"][:1]), nets.mapping(z[16:17], batch["label"][16:17])
    for row, layers in ((2, [0, 1]), (3, [2]), (4, [3])):
        mixed = ws[0].at[:, np.array(layers)].set(ws[1][:, np.array(layers)])
        noise = built.game.nets["synthesis"].module.constant_noise(jax.random.key(experiment.NOISE_SEED))
        close(rows["mixing"][row][:1], nets.synthesis(mixed, noise))
    close(rows["noise"][0], plain[:8])
    mapped = nets.mapping(z[:8], batch["label"][:8])
    close(rows["noise"][1], nets.synthesis(mapped))
    assert np.abs(rows["noise"][2] - rows["noise"][0]).max() > 1e-2
    # The row shows ten times the standard deviation over eight noise inputs, starting from black.
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
def test_resumed_run_restores_all_statistics(tmp_path, capsys):
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
    for run, pauses in (("uninterrupted", [7]), ("resumed", [3, 5, 7])):
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
def test_run_that_is_killed_repeatedly_ends_like_an_uninterrupted_one(tmp_path, capsys):
    """SIGKILL ends it twenty times. Its statistics change too: ADA's probability, the mean path length, the mean w."""
    flags = [*programs.tiny("stylegan2"), "--augment", "ada", "--ada-kimg", 0.1, "--ada-target", -1, "--pl-interval", 2]
    command = ["train", "--steps", 300, "--checkpoint-every", 10, "--sample-every", 1000, *flags]
    uninterrupted, killed = tmp_path / "uninterrupted", tmp_path / "killed"
    assert programs.killed(command, uninterrupted, killed, 20, experiment="stylegan2", within=3) >= 19
    code, text = programs.run(capsys, "inspect", "--run-dir", uninterrupted, experiment="stylegan2")
    assert code == 0 and "step 300" in text
    assert programs.run(capsys, "inspect", "--run-dir", killed, experiment="stylegan2") == (0, text)
    assert (killed / "metrics.jsonl").read_bytes() == (uninterrupted / "metrics.jsonl").read_bytes()
    found = Checkpoints(killed / "checkpoints", read_only=True).read()
    for name in ("stats.ada.ada.p", "stats.path.batch_stats.mean", "stats.mapping.moving.w"):
        assert f"  {name}\n" in text and np.abs(found[name]).max() > 1e-4, name


def count_products(function, *inputs):
    """Return the number of matrix products and convolutions in the compiled function."""
    text = jax.jit(function).lower(*inputs).compile().as_text()
    return text.count(" dot(") + text.count(" convolution(")


@pytest.mark.slow
def test_both_players_share_one_forward_pass_of_the_generator():
    """If the generator's player used other latents, the step would have the products of one more forward pass."""
    built = tiny(augment="none", r1_gamma=0.0, pl_weight=0.0)
    game, player = built.game, built.game.players["g"]

    def with_other_latents(nets, batch, keys, step):
        return player.loss(nets, batch, jax.vmap(jax.random.fold_in, (0, None))(keys, 99), step)

    apart = dataclasses.replace(
        game, players={**game.players, "g": dataclasses.replace(player, loss=with_other_latents)}
    )
    state = jax.eval_shape(game.init, jax.random.key(0))
    keys = jax.random.split(jax.random.key(0), 8)

    def forward_pass(state):
        nets = game.functions(state, train=True, ema=False)
        z = latents(keys, 4), latents(fold_in_keys(keys), 4)
        return nets.synthesis(stylegan2.mix_styles(nets.mapping(z[0]), nets.mapping(z[1]), keys), keys)

    shared, separate = (count_products(g.step, state, examples(built)) for g in (game, apart))
    assert separate - shared == count_products(forward_pass, state) > 10

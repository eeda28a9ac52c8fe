"""Editing of styles: directions, ranges of layers, and the control flags of the command ``sample``."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import programs
from PIL import Image

from experiments import stylegan2 as experiment
from jaxgan.cli import style_control
from jaxgan.cli.style_control import StyleControl
from jaxgan.data.source import Subset
from jaxgan.editing import styles
from jaxgan.editing.interpolation import FRAMES_PER_LATENT, interpolation_loop, lerp

pytestmark = pytest.mark.integration

# Pure functions


@pytest.mark.parametrize(
    ("layers", "coarse", "middle"),
    [(18, 3, 7), (10, 3, 7), (8, 3, 6), (6, 2, 4), (4, 2, 3)],  # images of 1024, 64, 32, 16 and 8 pixels
)
def test_ranges_of_layers(layers, coarse, middle):
    expected = {"coarse": range(coarse), "middle": range(coarse, middle), "fine": range(middle, layers)}
    for name, indices in expected.items():
        assert np.flatnonzero(styles.layer_mask(name, layers)).tolist() == list(indices)
    assert styles.layer_mask("all", layers).all()


def test_an_unknown_range_is_rejected():
    with pytest.raises(ValueError, match="`layers` must be one of coarse, middle, fine or all, got 'rough'"):
        styles.layer_mask("rough", 8)


def rotation(seed, size):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))[0]


def test_sefa_finds_known_directions():
    """A = R diag(s) Q^T, in two layers: |A q_i|^2 = s_i^2, and no unit vector has a larger |A n|^2 than max s_i^2."""
    q, s = rotation(0, 6), np.array([0.5, 3.0, 2.0, 0.0, 1.0, 4.0])
    transposed = (rotation(1, 6) @ np.diag(s) @ q.T).T
    found, values = styles.sefa([transposed[:, :2], transposed[:, 2:]], normalized=False)
    order = np.argsort(-s)
    np.testing.assert_allclose(values, s[order] ** 2, atol=1e-4)
    np.testing.assert_allclose(np.abs(found @ q[:, order]), np.eye(6), atol=1e-3)
    np.testing.assert_allclose(found @ found.T, np.eye(6), atol=1e-5)
    assert (found[np.arange(6), np.abs(found).argmax(1)] > 0).all()


def test_sefa_weights_all_channels_equally_if_normalized():
    """Five channels respond to q0, three to q1, one to q2 and one to nothing, with different norms."""
    q = rotation(2, 4)
    strengths = np.array([0.01, 0.02, 0.01, -0.03, 0.01, 5.0, 7.0, -1.0, 100.0, 0.0])
    transposed = q[:, [0] * 5 + [1] * 3 + [2, 3]] * strengths
    found, values = styles.sefa([transposed])
    np.testing.assert_allclose(values, [5, 3, 1, 0], atol=1e-5)
    np.testing.assert_allclose(np.abs(found @ q), np.eye(4), atol=1e-4)
    by_length, _ = styles.sefa([transposed], normalized=False)
    np.testing.assert_allclose(abs(float(by_length[0] @ q[:, 2])), 1, atol=1e-4)


def test_the_sign_of_a_sefa_direction_is_deterministic():
    weights = np.random.default_rng(3).normal(size=(5, 12)).astype(np.float32)
    found = styles.sefa([weights])[0]
    np.testing.assert_allclose(styles.sefa([-weights[:, ::-1]])[0], found, atol=1e-4)
    np.testing.assert_allclose(jax.jit(styles.sefa)([weights])[0], found, atol=1e-4)


def planted(size=12, count=4000):
    """Return w with different variances, a unit direction, and which w are on its positive side, with some noise."""
    rng = np.random.default_rng(4)
    w = 2 + rng.normal(size=(count, size)) * np.geomspace(0.1, 3, size) @ rotation(5, size)
    normal = rng.normal(size=size)
    normal /= np.linalg.norm(normal)
    return w, normal, (w - w.mean(0)) @ normal + 0.05 * rng.normal(size=count) > 0


def test_a_probe_finds_the_direction_that_defines_the_classes():
    w, normal, positive = planted()
    difference = w[positive].mean(0) - w[~positive].mean(0)
    assert difference @ normal / np.linalg.norm(difference) < 0.7  # the difference of the means is another direction
    assert styles.probe(w, positive, shrinkage=0.0) @ normal > 0.97
    found = styles.probe(w, positive)
    assert found @ normal > 0.85 and np.linalg.norm(found) == pytest.approx(1)
    np.testing.assert_allclose(styles.probe(w, ~positive), -found)
    # With fewer examples than dimensions, the covariance is singular without shrinkage.
    few = styles.probe(np.repeat(w, 8, 1)[:40], positive[:40])
    assert np.isfinite(few).all()


@pytest.mark.parametrize(
    ("w", "positive", "message"),
    [
        (np.zeros((4, 2)), [True, False], r"`w` must have the shape \[N, w\] and .* \[N\], got \(4, 2\) and \(2,\)"),
        (np.zeros((4, 2)), [True, False, False, False], "at least 2 positive and 2 negative examples, got 1 and 3"),
        (np.zeros((4, 2)), [True, True, True, True], "at least 2 positive and 2 negative examples, got 4 and 0"),
        (np.zeros((4, 2)), [True, True, False, False], "classes with different means of `w`, and `w` must vary"),
    ],
)
def test_a_probe_rejects_invalid_examples(w, positive, message):
    with pytest.raises(ValueError, match=message):
        styles.probe(w, np.array(positive))


def test_move_along_changes_only_the_masked_layers():
    ws = jnp.arange(24.0).reshape(2, 4, 3)
    which = np.array([True, False, True, False])
    found = styles.move_along(ws, jnp.array([1.0, 0.0, -1.0]), jnp.array([-2.0, 0.0, 5.0]), which)
    assert found.shape == (2, 3, 4, 3)
    np.testing.assert_array_equal(found[:, 1], ws)
    np.testing.assert_array_equal(found[:, :, ~which], np.broadcast_to(ws[:, None, ~which], (2, 3, 2, 3)))
    np.testing.assert_array_equal(found[1, 2, 2] - ws[1, 2], [5, 0, -5])
    assert float(styles.std_along(jnp.array([[1.0, 9.0], [5.0, 2.0]]), jnp.array([1.0, 0.0]))) == 2


def test_mixing_grid_replaces_the_layers_of_the_sources():
    sources, destinations = jnp.arange(8.0).reshape(2, 4, 1), 10 + jnp.arange(12.0).reshape(3, 4, 1)
    grid = styles.mixing_grid(sources, destinations, styles.layer_mask("coarse", 4))
    assert grid.shape == (3, 4, 4, 1)
    np.testing.assert_array_equal(grid[1:, 0], sources)
    np.testing.assert_array_equal(grid[0, 1:], destinations)
    assert grid[2, 3, :, 0].tolist() == [4, 5, 20, 21]
    whole = styles.mixing_grid(sources, destinations, styles.layer_mask("all", 4))
    np.testing.assert_array_equal(whole[1:, 1:], np.broadcast_to(sources[:, None], (2, 3, 4, 1)))


def test_an_interpolation_loop_in_w_has_straight_lines():
    ws = jax.random.normal(jax.random.key(0), (3, 4, 5))
    path = interpolation_loop(ws, lerp)
    frames = FRAMES_PER_LATENT
    assert path.shape == (3 * frames, 4, 5)
    np.testing.assert_array_equal(path[::frames], ws)
    steps = np.diff(np.concatenate([path, path[:1]]), axis=0).reshape(3, frames, 4, 5)
    ends = np.roll(ws, -1, 0) - ws
    np.testing.assert_allclose(steps, np.broadcast_to(ends[:, None] / frames, steps.shape), atol=1e-6)


# Style control with a generator


@pytest.fixture(scope="module")
def tiny():
    """Return the untrained experiment, and a state with strong noise and with an average of w that is not 0."""
    built = experiment.build(experiment.Config.tiny())
    state = jax.jit(built.game.init)(jax.random.key(0))

    def noisy(path, x):
        return jnp.full_like(x, 0.5) if "strength" in jax.tree_util.keystr(path) else x

    synthesis = jax.tree_util.tree_map_with_path(noisy, state.ema["synthesis"])
    moving = {"moving": {"w": jnp.array([0.3, -0.2, 0.5, 0.1])}}
    return built, state.replace(ema={**state.ema, "synthesis": synthesis}, stats={**state.stats, "mapping": moving})


@pytest.fixture(scope="module")
def ask(tiny):
    """Return a function that draws five samples of seed 3 with the given flags."""
    built, state = tiny

    def ask(moving=False, **flags):
        z, labels = built.draw_latents(3, np.arange(5)), jnp.zeros(5, jnp.int32)
        return style_control.draw_controlled(StyleControl(**flags), built, state, z, labels, 3, moving)

    return ask


@pytest.fixture(scope="module")
def nets(tiny):
    built, state = tiny
    return built.game.functions(state)


@pytest.fixture(scope="module")
def images(tiny, nets):
    """Return a function that generates images from styles, with the constant noise or with other noise."""
    built, _ = tiny
    draw, constant = (
        jax.jit(lambda ws, noise: built.sampling.styles.images(nets, ws, noise)),
        built.sampling.styles.noise(),
    )
    return lambda ws, noise=constant: draw(ws, noise)


@pytest.fixture(scope="module")
def mapped(tiny, nets):
    """Return a function that maps the latents of seed 3 to styles."""
    built, _ = tiny

    @functools.partial(jax.jit, static_argnums=0, static_argnames="truncation_cutoff")
    def mapped(count, **options):
        return built.sampling.styles.map(nets, built.draw_latents(3, np.arange(count)), **options)

    return mapped


@pytest.fixture(scope="module")
def plain(tiny):
    built, state = tiny
    return built.sampler()(state, built.draw_latents(3, np.arange(5)))


close = functools.partial(np.testing.assert_allclose, atol=2e-5)


def test_weights_are_the_style_matrices_of_the_layers(tiny, nets):
    """A step in w changes the modulation of each convolution by the step times the matrix of its layer."""
    built, _ = tiny
    layers, module = built.sampling.styles.num_ws, nets.synthesis.module
    step = jax.random.normal(jax.random.key(2), (layers, 4))

    @jax.jit
    def modulations(ws):
        _, captured = module.apply({"params": nets.synthesis.params}, ws[None], capture_intermediates=True)
        return {
            name: layer["style"]["__call__"][0][0]
            for name, layer in captured["intermediates"].items()
            if name[:2] != "__"
        }

    before, after = modulations(jnp.ones((layers, 4))), modulations(1 + step)
    weights = built.sampling.styles.weights(nets)
    assert layers == len(weights) == 4
    for i, name in enumerate(["conv_0_1", "conv_1_0", "conv_1_1", "image_1"]):
        close(after[name] - before[name], step[i] @ weights[i])


def test_psi_0_gives_the_image_of_the_average_style(tiny, nets, images, ask, plain):
    built, _ = tiny
    w = built.sampling.styles.average(nets)
    np.testing.assert_allclose(w, [0.3, -0.2, 0.5, 0.1])
    ws = jnp.broadcast_to(w[None, None], (1, built.sampling.styles.num_ws, 4))
    average = np.asarray(images(ws))
    close(ask(truncation_psi=0.0).samples, np.broadcast_to(average, (5, *average.shape[1:])))
    half = ask(truncation_psi=0.5).samples
    assert np.abs(half - plain).max() > 1e-3 and np.abs(half - average).max() > 1e-3


def test_truncation_cutoff_leaves_later_layers_unchanged(tiny, nets, images, mapped, ask):
    built, _ = tiny
    ws, cut = mapped(5), mapped(5, truncation_psi=0.0, truncation_cutoff=3)
    np.testing.assert_array_equal(cut[:, 3:], ws[:, 3:])
    close(cut[:, :3], np.broadcast_to(built.sampling.styles.average(nets), (5, 3, 4)))
    close(ask(truncation_psi=0.0, truncation_cutoff=3).samples, images(cut))


def test_constant_random_and_no_noise(images, mapped, ask, plain):
    none, random = ask(noise="none").samples, ask(noise="random").samples
    close(none, images(mapped(5), None))
    np.testing.assert_array_equal(none, ask(noise="none").samples)
    np.testing.assert_array_equal(random, ask(noise="random").samples)
    assert np.abs(none - plain).max() > 1e-2 and np.abs(random - plain).max() > 1e-2
    # Samples with the same style are equal without noise and with constant noise, but not with random noise.
    equal = {noise: ask(truncation_psi=0.0, noise=noise).samples for noise in ("none", "const", "random")}
    for noise in ("none", "const"):
        close(equal[noise][1:], np.broadcast_to(equal[noise][:1], equal[noise][1:].shape))
    assert np.abs(equal["random"][1:] - equal["random"][:1]).max((1, 2, 3)).min() > 1e-2


def test_style_mix_draws_a_grid_of_sources_and_destinations(images, mapped, ask, plain):
    """The grid has two sources and three destinations."""
    samples, frames, columns = ask(style_mix="middle")
    assert (frames, columns, len(samples)) == (1, 4, 12)
    grid = samples.reshape(3, 4, *samples.shape[1:])
    close(grid[1:, 0], plain[:2])
    close(grid[0, 1:], plain[2:])
    assert (grid[0, 0] == 1).all()
    ws = mapped(5)
    mixed = ws[4:].at[:, 2].set(ws[1:2, 2])  # the third of four layers is the middle range
    close(grid[2, 3], images(mixed)[0])


def test_direction_moves_samples_along_a_sefa_direction(tiny, nets, images, mapped, ask, plain):
    built, _ = tiny
    samples, frames, columns = ask(direction="sefa:1", layers="coarse", strengths=(-2.0, 0.0, 1.0))
    assert (frames, columns, len(samples)) == (1, 3, 15)
    grid = samples.reshape(5, 3, *samples.shape[1:])
    close(grid[:, 1], plain)
    direction = styles.sefa(built.sampling.styles.weights(nets)[:2])[0][1]
    w = mapped(style_control.DIRECTION_SAMPLES)[:, 0]
    moved = mapped(5).at[:, :2].add(-2 * (w @ direction).std() * direction[None, None])
    close(grid[:, 0], images(moved))


def test_an_animation_moves_along_a_direction_and_back(ask):
    film = ask(moving=True, direction="sefa:0", strengths=(-1.0, 2.0))
    assert film.frames == 2 * FRAMES_PER_LATENT - 2
    frames = film.samples.reshape(film.frames, 5, *film.samples.shape[1:])
    ends = ask(direction="sefa:0", strengths=(-1.0, 2.0)).samples.reshape(5, 2, *film.samples.shape[1:])
    close(frames[0], ends[:, 0])
    close(frames[FRAMES_PER_LATENT - 1], ends[:, 1])
    close(frames[1:][::-1], frames[1:])


class Bright:
    """A replacement for a classifier: class 1 has images that are bright on the left."""

    def logits(self, images):
        brightness = images[:, :, :4].mean((1, 2, 3))
        return np.stack([0 * brightness, brightness - np.median(brightness)], 1)


def test_direction_of_a_class_of_the_data(ask, monkeypatch):
    monkeypatch.setattr(style_control, "train_classifier", lambda source, cache: Bright())
    samples = ask(direction="1", strengths=(-1.0, 0.0, 1.0)).samples
    brightness = samples[:, :, :4].mean((1, 2, 3)).reshape(5, 3)
    assert (np.diff(brightness.mean(0)) > 1e-3).all()
    with pytest.raises(
        ValueError,
        match="`direction` 2: class 2: A probe needs at least 2 positive and 2 negative examples, got 0 and 1024",
    ):
        ask(direction="2")


def test_direction_of_a_class_needs_the_data(tiny):
    """With ``--parameters``, one blank example replaces the data."""
    built, state = tiny
    alone = dataclasses.replace(built, source=Subset(built.source, np.zeros(1, int)))
    z, labels = built.draw_latents(3, np.arange(5)), jnp.zeros(5, jnp.int32)
    with pytest.raises(ValueError, match="`direction` 1 requires the data of the run, to train a classifier"):
        style_control.draw_controlled(StyleControl(direction="1"), alone, state, z, labels, 3, False)


@pytest.mark.slow
def test_direction_of_a_class_of_a_conditional_model():
    """The styles of this class have the largest mean along the direction."""
    built = experiment.build(experiment.Config.tiny(conditional=True, w_dim=16))
    state = jax.jit(built.game.init)(jax.random.key(0))
    w, direction = style_control.find_direction("7", built, state, np.ones(4, bool), 0)
    along, label = np.asarray(w @ direction), np.arange(style_control.DIRECTION_SAMPLES) % 10
    middles = [along[label == n].mean() for n in range(10)]
    assert int(np.argmax(middles)) == 7 and middles[7] - np.mean(middles) > along[label == 7].std()


def test_the_summary_of_style_control_lists_its_flags():
    assert StyleControl().summary == ""
    message = StyleControl(truncation_psi=0.5, noise="none", direction="sefa:1", strengths=(-2.0, 0.5)).summary
    assert message == "--truncation-psi 0.5 --noise none --direction sefa:1 --strengths -2 0.5"
    assert [StyleControl(**flags).default_count for flags in ({}, {"style_mix": "fine"}, {"direction": "3"})] == [
        64,
        12,
        8,
    ]


# The command ``sample``


@pytest.fixture(scope="module")
def run_dir(tiny, tmp_path_factory):
    """Return a run directory with a checkpoint of that state."""
    return programs.begun(tmp_path_factory.mktemp("runs") / "run", "stylegan2", tiny[1])


def sample(capsys, run_dir, out, *flags):
    return programs.run(capsys, "sample", "--run-dir", run_dir, "--out", out, *flags, experiment="stylegan2")


def side(count, scale=1):
    """Return the pixels of a row of ``count`` images of 8 pixels and the gaps between them, enlarged by ``scale``."""
    return (9 * count - 1) * scale


PICTURES = {  # flags: columns, rows, enlargement, frames
    ("a.png", "--psi", 0.5, "--truncation-cutoff", 2, "--count", 4): (2, 2, 15, 1),
    ("a.png", "--style-mix", "coarse", "--noise", "none", "--count", 5): (4, 3, 9, 1),
    ("a.png", "--style-mix", "fine"): (7, 7, 4, 1),
    ("a.png", "--direction", "sefa:0", "--count", 2): (7, 2, 15, 1),
    ("a.png", "--direction", "sefa:3", "--strengths", -2, 0.5, "--layers", "fine"): (2, 8, 3, 1),
    ("a.gif", "--direction", "sefa:0", "--count", 4, "--noise", "random"): (2, 2, 15, 46),
    ("a.webp", "--space", "w", "--psi", 0.7, "--count", 2): (1, 1, 32, 48),
}


@pytest.mark.parametrize("flags", PICTURES, ids=lambda flags: " ".join(map(str, flags)))
def test_images_have_the_right_size(flags, run_dir, tmp_path, capsys):
    out, *more = flags
    code, text = sample(capsys, run_dir, tmp_path / out, *more)
    assert code == 0, text
    columns, rows, scale, frames = PICTURES[flags]
    with Image.open(tmp_path / out) as image:
        assert image.size == (side(columns, scale), side(rows, scale))
        assert getattr(image, "n_frames", 1) == frames
    arguments = StyleControl(truncation_psi=0.7, space="w").summary
    assert ("--space" in more) == (f"seed 0, {arguments}" in text)


def test_samples_can_be_written_as_arrays(run_dir, tmp_path, capsys, tiny):
    built, state = tiny
    code, text = sample(capsys, run_dir, tmp_path / "a.npz", "--noise", "none", "--seed", 3, "--count", 5)
    assert code == 0, text
    z = built.draw_latents(3, np.arange(5))
    samples = style_control.draw_controlled(
        StyleControl(noise="none"), built, state, z, jnp.zeros(5, jnp.int32), 3, False
    )
    close(np.load(tmp_path / "a.npz")["images"], samples.samples)


WRONG = {
    ("--psi", "nan"): "--truncation-psi must be finite, got nan.",
    ("--truncation-cutoff", 2): "--truncation-cutoff has no effect without truncation. Pass --truncation-psi too.",
    (
        "--truncation-psi",
        0.5,
        "--truncation-cutoff",
        5,
    ): "--truncation-cutoff must be between 1 and 4, the number of layers, got 5.",
    ("--style-mix", "fine", "--direction", "sefa:0"): "--style-mix and --direction cannot be combined",
    ("--strengths", 1): "--strengths has no effect without a direction. Pass --direction too.",
    ("--layers", "fine"): "--layers has no effect without a direction. Pass --direction too.",
    ("--direction", "sefa:0", "--strengths", "inf"): "--strengths must be one or more finite numbers, such as -2 0 2.",
    ("--space", "w"): "--space w applies only to interpolations. Pass a .gif or .webp file as --out",
    ("--style-mix", "fine", "--count", 1): "--count must be at least 2 with --style-mix, got 1",
    (
        "--style-mix",
        "fine",
        "--out",
        "a.gif",
    ): "--style-mix generates a grid, so --out must be a .png or .jpg file, got .gif.",
    (
        "--direction",
        "sefa:0",
        "--out",
        "a.npz",
    ): "--direction generates a grid or an animation, so --out must be a .png, .jpg, .gif or .webp file",
    (
        "--direction",
        "sefa:4",
    ): "--direction must be sefa:0 to sefa:3, or a class, got 'sefa:4'",
    ("--direction", "sefa:x"): "--direction must be sefa:0 to sefa:3",
    (
        "--direction",
        "smile",
    ): "--direction must be sefa:0 to sefa:3, between 0 and 9, or the name of a class (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), got smile",
}


@pytest.mark.parametrize("flags", WRONG, ids=lambda flags: " ".join(map(str, flags)))
def test_invalid_flags_are_rejected(flags, run_dir, tmp_path, capsys):
    code, text = sample(capsys, run_dir, tmp_path / "a.png", *flags)
    assert code == 2 and WRONG[flags] in " ".join(text.split())
    assert not list(tmp_path.iterdir())

"""Compare StyleGAN2 with the official code, NVlabs/stylegan2-ada-pytorch, and with its definition.

The expected numbers are results of its training/networks.py at commit d72cc7d. They use the weights and images that
``helpers.official`` draws, small networks for 32 x 32 images, and the reference implementations of the custom CUDA
operations. At resolutions of 64, 128 and 256 the largest difference was 1e-5, for images with a largest value of 15.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import official

from jaxgan import Game, Net, Player, losses, parallel, total
from jaxgan.core import axis
from jaxgan.core.keys import fold_in_keys, latents
from jaxgan.interop import stylegan2 as interop
from jaxgan.models import stylegan2

pytestmark = pytest.mark.integration

LABELS = np.array([2, 0, 1, 2])
# name: (classes, channels, conv_clamp, styles, images, images without noise, images with mixed styles, average of w)
GENERATORS = {
    "labels": (3, 3, None,
        [-0.21463579, -0.29601365, -0.094038084, 0.27352505, 0.90161661],
        [0.423226, 0.014930628, 0.021612331, -0.41767005, 1.3621025],
        [0.44387299, -0.15188138, 0.0023946315, -0.36648493, 1.1353822],
        [0.29564098, 0.19830227, -0.099860966, -0.46794202, 1.5911123],
        [0.035407696, 0.058954932, -0.055013843, 0.0035022449, 0.0022922991]),
    "grey, clamped": (0, 1, 0.5,
        [2.2208581, -0.28831181, -0.33566287, 0.27182702, 0.57990721],
        [0.074375428, 0.23132908, 0.25280482, 0.18441957, 0.17975573],
        [0.079146758, 0.06420134, 0.1259308, 0.14736499, 0.10052731],
        [0.11549853, 0.081453443, -0.072844669, 0.24147852, 0.19565994],
        [0.040582854, 0.060201075, -0.056746308, 0.0034926789, 0.0023591229]),
}  # fmt: skip


def draw_latents(seed):
    return np.random.RandomState(seed).normal(size=(4, 16)).astype(np.float32)


@pytest.mark.parametrize("name", GENERATORS)
def test_generator_equals_the_official_code(name):
    classes, channels, clamp, styles, image, without_noise, mixture, average = GENERATORS[name]
    mapping, synthesis, variables, arrays = official.generator(32, classes, channels, conv_clamp=clamp)
    label = (LABELS,) if classes else ()
    map_latents = functools.partial(mapping.apply, variables["mapping"], train=False)
    images = jax.jit(functools.partial(synthesis.apply, variables["synthesis"]))
    noise = interop.noise(arrays)
    ws = jax.jit(functools.partial(map_latents, truncation_psi=0.7, truncation_cutoff=3))(draw_latents(0), *label)
    official.agrees(ws, styles)
    y = images(ws, noise)
    assert (y.shape, y.dtype) == ((4, 32, 32, channels), jnp.float32)
    official.agrees(y, image)
    official.agrees(images(ws), without_noise)
    others = map_latents(draw_latents(1), *label)
    official.agrees(images(jnp.concatenate([ws[:, :5], others[:, 5:]], 1), noise), mixture)
    # Each image depends only on its own styles.
    np.testing.assert_allclose(images(jnp.tile(ws[2:3], (4, 1, 1)), noise)[0], y[2], atol=1e-5)
    _, moved = mapping.apply(variables["mapping"], draw_latents(0), *label, train=True, mutable=["moving"])
    official.agrees(moved["moving"]["w"], average)


# name: (module, channels, logits, R1 of each image, norm of the gradient of R1 and its product with noise)
DISCRIMINATORS = {
    "residual, labels, clamped": (stylegan2.Discriminator(3, 1024, 32, conv_clamp=0.5), 3,
        [-0.80381507, -0.55418456, -0.44332394, -0.84099376, -0.52071738, -0.42773896, -0.83950889, -0.5511784],
        [0.0020735199, 0.0013132552, 0.0013227091, 0.0015901575, 0.0014148649, 0.0014136829, 0.0016710436, 0.0013500022],
        [0.0016089245, 0.00047229889]),
    "plain, groups of 8": (stylegan2.Discriminator(0, 1024, 32, mbstd_group_size=8, architecture="orig"), 4,
        [-0.026729301, 0.01814077, -0.038376562, -0.057346739, -0.041986585, -0.037144471, 0.0070674941, -0.043475077],
        [0.0060290778, 0.0053382092, 0.0016575492, 0.0017636706, 0.0050216615, 0.0049936632, 0.0032515919, 0.0016399511],
        [0.0024765459, 0.0024290706]),
}  # fmt: skip


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_discriminator_and_the_gradient_of_r1_equal_the_official_code(name):
    module, channels, logits, penalties, gradient = DISCRIMINATORS[name]
    x, label = official.image(8, 32, 32, channels), (np.arange(8) % 3,) if module.classes else ()
    like = jax.eval_shape(module.init, jax.random.key(0), x, *label)
    arrays = {name: official.styled(name, shape) for name, shape in interop.shapes(like).items()}
    variables = interop.to_variables(arrays, like)

    @jax.jit
    @functools.partial(jax.value_and_grad, has_aux=True)
    def penalty(variables):
        r1 = losses.r1(lambda x: module.apply(variables, x, *label), x)
        return r1.mean() / 2, r1

    y = jax.jit(module.apply)(variables, x, *label)
    assert (y.shape, y.dtype) == ((8,), jnp.float32)
    np.testing.assert_allclose(y, logits, rtol=1e-4, atol=2e-5)
    (_, found), grads = penalty(variables)
    np.testing.assert_allclose(found, penalties, rtol=1e-4)
    slopes = {name: x for name, x in interop.to_torch(grads).items() if name in arrays}
    np.testing.assert_allclose(official.direction(slopes), gradient, rtol=1e-3)


def small_synthesis(**kwargs):
    """Return a synthesis network for 8 x 8 images, its initial variables with noise strengths of 1, and styles."""
    synthesis = stylegan2.Synthesis((8, 8), 3, 64, 8, **kwargs)
    variables = jax.jit(synthesis.init)(jax.random.key(0), jnp.zeros((1, 4, 6)))
    noisy = jax.tree_util.tree_map_with_path(lambda path, x: x + 1.0 if "strength" in str(path[-1]) else x, variables)
    return synthesis, noisy, jax.random.normal(jax.random.key(1), (4, 4, 6))


def test_noise_depends_only_on_the_key_of_the_example():
    synthesis, variables, ws = small_synthesis()
    keys = jax.random.split(jax.random.key(2), 4)
    call = jax.jit(synthesis.apply)
    y = call(variables, ws, keys)
    np.testing.assert_allclose(call(variables, ws[2:], keys[2:]), y[2:], atol=1e-5)
    same = call(variables, jnp.tile(ws[:1], (4, 1, 1)), keys)
    assert np.abs(same - same[:1]).max(axis=(1, 2, 3))[1:].min() > 0.1
    # Noise maps for all examples equal the same noise maps repeated for each example.
    maps = synthesis.constant_noise(jax.random.key(3))
    assert [x.shape for x in maps] == [(4, 4), (8, 8), (8, 8)]
    each = tuple(jnp.tile(x[None], (4, 1, 1)) for x in maps)
    np.testing.assert_allclose(call(variables, ws, maps), call(variables, ws, each), atol=1e-5)
    assert np.abs(call(variables, ws, maps) - call(variables, ws)).max() > 0.1
    # The noise of different layers, and noise and latents, are independent.
    a, b, c = (np.asarray(x)[0].reshape(-1) for x in stylegan2._noise_maps(keys, [(4, 4), (4, 4), (8, 8)], 4))
    drawn = [a, b, c[:16], *(np.asarray(latents(k, 16)[0]) for k in (keys, fold_in_keys(keys)))]
    assert np.abs(np.corrcoef(drawn) - np.eye(5)).max() < 0.9


def test_style_weights_are_the_derivatives_of_the_modulations():
    """A change of w changes the modulation of each layer by its product with the layer's matrix."""
    synthesis, variables, ws = small_synthesis()
    dw = 0.1 * jax.random.normal(jax.random.key(5), ws.shape)

    @jax.jit
    def styles(ws):
        state = synthesis.apply(variables, ws, capture_intermediates=True, mutable=["intermediates"])[1]
        names = ["conv_0_1", "conv_1_0", "conv_1_1", "image_1"]
        return [state["intermediates"][name]["style"]["__call__"][0] for name in names]

    weights = synthesis.style_weights(variables["params"])
    assert len(weights) == synthesis.num_ws == 4
    for i, (before, after, weight) in enumerate(zip(styles(ws), styles(ws + dw), weights)):
        np.testing.assert_allclose(after - before, dw[:, i] @ weight, atol=1e-5)
        assert np.abs(after - before).max() > 1e-3


def test_networks_support_images_that_are_not_square():
    synthesis = stylegan2.Synthesis((8, 12), 1, 64, 8, base_shape=(4, 6))
    ws = jnp.ones((2, synthesis.num_ws, 5))
    assert synthesis.num_ws == 4
    images, variables = jax.jit(synthesis.init_with_output)(
        jax.random.key(0), ws, synthesis.constant_noise(jax.random.key(1))
    )
    assert images.shape == (2, 8, 12, 1)
    assert variables["params"]["conv_1_1"]["kernel"].shape == (3, 3, 8, 8)
    d = stylegan2.Discriminator(0, 64, 8, base_shape=(4, 6))
    logits, variables = jax.jit(d.init_with_output)(jax.random.key(0), images)
    assert logits.shape == (2,)
    assert variables["params"]["linear"]["kernel"].shape == (4 * 6 * 8, 8)


def test_initial_parameters():
    """Kernels are drawn from N(0, 1) / lr_multiplier, as in the official code of StyleGAN2-ADA."""
    mapping = stylegan2.Mapping(4, 64, 2)
    init = jax.jit(functools.partial(mapping.init_with_output, train=True))
    ws, variables = init(jax.random.key(0), jax.random.normal(jax.random.key(1), (64, 64)))
    assert np.std(variables["params"]["linear_0"]["kernel"]) == pytest.approx(100, rel=0.05)
    assert np.square(ws).mean() == pytest.approx(1, rel=0.2)  # the gain of the activation preserves the second moment
    assert not np.any(variables["moving"]["w"])
    synthesis = stylegan2.Synthesis((8, 8), 3, 256, 64)
    params = jax.jit(synthesis.init)(jax.random.key(0), jnp.zeros((1, 4, 64)))["params"]
    assert np.std(params["conv_1_0"]["kernel"]) == pytest.approx(1, rel=0.05)
    assert float(params["conv_1_0"]["strength"]) == 0
    np.testing.assert_array_equal(params["image_1"]["style"]["bias"], 1)
    d = stylegan2.Discriminator(0, 256, 64)
    params = jax.jit(d.init)(jax.random.key(0), jnp.zeros((1, 8, 8, 3)))["params"]
    assert np.std(params["linear"]["kernel"]) == pytest.approx(1, rel=0.05)
    assert params["conv"]["kernel"].shape == (3, 3, 65, 64)
    assert set(params) == {"image", "conv_1_0", "conv_1_1", "skip_1", "conv", "linear", "logit"}


def test_truncation():
    mapping, _, variables, _ = official.generator(8)
    call = jax.jit(
        functools.partial(mapping.apply, variables["mapping"], train=False), static_argnames="truncation_cutoff"
    )
    z, average = draw_latents(0), variables["mapping"]["moving"]["w"]
    whole = call(z)
    np.testing.assert_array_equal(whole, np.tile(whole[:, :1], (1, 4, 1)))
    np.testing.assert_array_equal(call(z, truncation_psi=1.0, truncation_cutoff=2), whole)
    np.testing.assert_allclose(call(z, truncation_psi=0.0), np.broadcast_to(average, (4, 4, 16)), atol=1e-6)
    half = call(z, truncation_psi=0.5, truncation_cutoff=1)
    np.testing.assert_allclose(half[:, 0], (whole[:, 0] + average[None]) / 2, atol=1e-6)
    np.testing.assert_array_equal(half[:, 1:], whole[:, 1:])

    # In training, the updated average is used, and no gradient passes through it.
    def truncated(params):
        state = {**variables["mapping"], "params": params}
        ws, moved = mapping.apply(state, z, truncation_psi=0.0, train=True, mutable=["moving"])
        return jnp.square(ws).sum(), (ws, moved["moving"]["w"])

    slopes, (ws, moved) = jax.jit(jax.grad(truncated, has_aux=True))(variables["mapping"]["params"])
    np.testing.assert_allclose(ws[0, 0], moved, atol=1e-6)
    assert not any(np.any(x) for x in jax.tree.leaves(slopes))


def test_mix_styles_replaces_styles_from_a_random_layer_on():
    keys = jax.random.split(jax.random.key(0), 2000)
    ws, others = jnp.zeros((2000, 5, 1)), jnp.ones((2000, 5, 1))
    found = np.asarray(stylegan2.mix_styles(ws, others, keys))[..., 0]
    assert (np.diff(found, axis=1) >= 0).all()
    assert not found[:, 0].any()
    counts = np.bincount((found == 0).sum(1).astype(int), minlength=6)
    np.testing.assert_allclose(counts / 2000, [0, 0.225, 0.225, 0.225, 0.225, 0.1], atol=0.04)
    np.testing.assert_array_equal(stylegan2.mix_styles(ws[:3], others[:3], keys[:3])[..., 0], found[:3])
    assert not stylegan2.mix_styles(ws, others, keys, 0.0).any()


def test_logits_without_minibatch_stddev_depend_only_on_their_image():
    d, x = stylegan2.Discriminator(0, 64, 8, mbstd_group_size=0), official.image(3, 8, 8, 3)
    logits, variables = jax.jit(d.init_with_output)(jax.random.key(0), x)
    np.testing.assert_allclose(jax.jit(d.apply)(variables, x[1:]), logits[1:], atol=1e-5)


def test_features_depend_only_on_the_image_and_need_no_labels():
    d, x = stylegan2.Discriminator(3, 64, 8, mbstd_group_size=2), official.image(4, 16, 16, 3)
    variables = jax.jit(d.init)(jax.random.key(0), x, jnp.arange(4) % 3)
    extract = jax.jit(lambda x: d.apply(variables, x, features=True))
    assert [f.shape for f in extract(x)] == [(4, 16, 16, 4), (4, 8, 8, 8), (4, 4, 4, 8)]
    for single, batch in zip(extract(x[3:]), extract(x)):
        np.testing.assert_allclose(single, batch[3:], atol=1e-5)


def stylegan2_game():
    """Return a game with mapping, synthesis, style mixing, noise, R1 and path length regularisation."""

    def fakes(nets, keys):
        ws, stats = nets.mapping.with_stats(latents(keys, 6))
        ws = stylegan2.mix_styles(ws, nets.mapping(latents(fold_in_keys(keys), 6)), keys)
        return nets.synthesis(ws, keys), stats

    def discriminator_loss(nets, real, keys, step):
        logits = nets.d(real), nets.d(fakes(nets, keys)[0])
        return total(adversarial=losses.non_saturating_discriminator(*logits), r1=5.0 * losses.r1(nets.d, real))

    def generator_loss(nets, real, keys, step):
        images, stats = fakes(nets, keys)
        half = keys[::2]
        lengths = losses.path_lengths(lambda ws: nets.synthesis(ws, half), nets.mapping(latents(half, 6)), half)
        mean, path_stats = nets.path.with_stats(lengths)
        return total(
            adversarial=losses.non_saturating_generator(nets.d(images)),
            path=2 * losses.path_length_penalty(lengths, mean),
            stats={"mapping": stats, "path": path_stats},
        )

    synthesis = stylegan2.Synthesis((8, 8), 3, 64, 8)
    z, ws, x = (np.zeros(shape, np.float32) for shape in ((2, 6), (2, 4, 6), (2, 8, 8, 3)))
    adam = optax.adam(2e-3, b1=0.0, b2=0.99)
    return Game(
        nets={
            "mapping": Net(stylegan2.Mapping(synthesis.num_ws, 6, 1), z),
            "synthesis": Net(synthesis, ws),
            "d": Net(stylegan2.Discriminator(0, 64, 8), x),
            "path": Net(losses.PathLengthEMA()),
        },
        players={
            "d": Player(("d",), discriminator_loss, adam),
            "g": Player(("mapping", "synthesis"), generator_loss, adam),
        },
        turns=(("d",), ("g",)),
        ema={"mapping": 0.9, "synthesis": 0.9},
    )


def test_moving_average_of_w_includes_the_examples_of_all_devices():
    mapping, z = stylegan2.Mapping(2, 8, 2, w_avg_beta=0.5), latents(jax.random.split(jax.random.key(1), 8), 6)
    variables = mapping.init(jax.random.key(0), z, train=False)

    def moved(z):
        return mapping.apply(variables, z, train=True, mutable=["moving"])[1]["moving"]["w"]

    whole, each = moved(z), jax.pmap(moved, axis.NAME)(z.reshape(4, 2, 6))
    assert np.abs(whole).max() > 1e-3
    np.testing.assert_allclose(each, np.broadcast_to(whole, each.shape), rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_stylegan2_game_is_the_same_on_two_devices():
    game, x = stylegan2_game(), official.image(8, 8, 8, 3)
    state = jax.jit(game.init)(jax.random.key(0))
    one, metrics = jax.jit(game.step)(state, x)
    two, others = parallel.pmap(game, jax.devices()[:2])(state, x)
    for name in ("d/adversarial", "d/r1", "d/grad_norm", "g/adversarial", "g/path", "g/grad_norm"):
        assert float(metrics[name]) == pytest.approx(float(others[name]), rel=1e-4), name
        assert float(metrics[name]) > 1e-4
    assert np.abs(one.stats["mapping"]["moving"]["w"]).max() > 1e-5
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-7), one.stats, two.stats)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_low_precision_is_close_to_float32(dtype):
    """``dtype`` applies to the highest resolutions. Images, logits and parameters are float32."""
    synthesis, variables, ws = small_synthesis(dtype=dtype, conv_clamp=256.0)

    def call(module, *inputs):
        return jax.jit(module.apply)(variables, *inputs)

    y, full = call(synthesis, ws), call(synthesis.clone(dtype=jnp.float32), ws)
    assert y.dtype == jnp.float32
    assert 1e-5 < np.abs(y - full).max() < 0.1
    np.testing.assert_allclose(call(synthesis.clone(num_low_precision_res=0), ws), full, atol=1e-5)
    assert {x.dtype for x in jax.tree.leaves(variables)} == {np.dtype("float32")}
    d, x = stylegan2.Discriminator(0, 64, 8, dtype=dtype, conv_clamp=256.0), official.image(4, 8, 8, 3)
    logits, variables = jax.jit(d.init_with_output)(jax.random.key(0), x)
    assert {x.dtype for x in jax.tree.leaves(variables)} == {logits.dtype} == {np.dtype("float32")}
    assert 1e-6 < np.abs(logits - call(d.clone(dtype=jnp.float32), x)).max() < 0.05


KEYS = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), 2))
WS = np.zeros((3, 4, 6), np.float32)


@pytest.mark.parametrize(
    ("module", "inputs", "message"),
    [
        (stylegan2.Synthesis((8, 8)), (WS[:, :3],), r"Styles must be \[B, 4, w_dim\] for images of \(8, 8\), got the shape \(3, 3, 6\)"),
        (stylegan2.Synthesis((8, 16)), (WS,), r"got images of \(8, 16\) and a `base_shape` of \(4, 4\). The factors are 2 and 4. Pass another `base_shape`"),
        (stylegan2.Synthesis((12, 12)), (WS,), "got 12. Use 8 or 16, or `base_resolution` 6"),
        (stylegan2.Synthesis((8, 8), channel_base=7), (WS,), "`channel_base` must be at least 8 and `channel_max` at least 1, got 7 and 512"),
        (stylegan2.Synthesis((8, 8)), (WS, KEYS), r"`noise` must be an array of 3 PRNG keys, one per example, or a sequence of noise maps, got key<fry>\[2\]"),
        (stylegan2.Synthesis((8, 8)), (WS, WS[0]), r"`noise` must be an array of 3 PRNG keys, .* got float32\[4, 6\]"),
        (stylegan2.Synthesis((8, 8)), (WS, (WS[0], WS[0])), r"Noise maps must have the shapes \[\(4, 4\), \(8, 8\), \(8, 8\)\].*got the shapes \[\(4, 6\), \(4, 6\)\]"),
        (stylegan2.Mapping(0), (WS[:, 0],), "`num_ws` and `num_layers` must be at least 1, got 0 and 8"),
        (stylegan2.Mapping(4), (WS,), r"Latents must be \[B, z_dim\], got the shape \(3, 4, 6\)"),
        (stylegan2.Mapping(4, classes=3), (WS[:, 0],), "conditional network with 3 classes requires labels"),
        (stylegan2.Discriminator(), (WS,), r"Images must be \[B, h, w, C\], got the shape \(3, 4, 6\)"),
        (stylegan2.Discriminator(), (np.zeros((1, 8, 12, 3), np.float32),), "got 12. Use 8 or 16"),
        (stylegan2.Discriminator(), (np.zeros((6, 8, 8, 3), np.float32),), "`group_size` must divide the number of examples, 6, got 4"),
        (stylegan2.Discriminator(architecture="skip"), (np.zeros((4, 8, 8, 3), np.float32),), "`architecture` must be 'orig' or 'resnet', got 'skip'"),
        (stylegan2.Discriminator(2), (np.zeros((4, 8, 8, 3), np.float32),), "conditional network with 2 classes requires labels"),
    ],
)  # fmt: skip
def test_errors(module, inputs, message):
    kwargs = {"train": False} if isinstance(module, stylegan2.Mapping) else {}
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(functools.partial(module.init, **kwargs), jax.random.key(0), *inputs)


def test_mix_styles_of_different_shapes_raises():
    with pytest.raises(ValueError, match="`ws` and `others` must have the same shape"):
        stylegan2.mix_styles(WS, WS[:, :3], KEYS)

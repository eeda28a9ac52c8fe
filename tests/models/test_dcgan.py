"""Compare DCGAN with the layers of the paper, and with the same networks written with flax's layers."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.parameters import drawn, named, shapes

from jaxgan.models import dcgan

pytestmark = pytest.mark.integration

RNG = np.random.default_rng(0)


def latents(count=3, size=100):
    return jnp.array(RNG.normal(size=(count, size)), jnp.float32)


def images(size, channels, count=3):
    return jnp.array(RNG.uniform(-1, 1, size=(count, size, size, channels)), jnp.float32)


@pytest.mark.parametrize(("size", "width"), [(8, 24), (16, 1), (32, 6), (64, 3)])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_shapes(size, channels, width):
    g, d = dcgan.Generator(size, channels, width), dcgan.Discriminator(width)
    out = jax.eval_shape(lambda: g.init_with_output(jax.random.key(0), latents(size=7), train=True)[0])
    assert (out.shape, out.dtype) == ((3, size, size, channels), jnp.float32)
    logits = jax.eval_shape(lambda x: d.init_with_output(jax.random.key(0), x, train=True)[0], out)
    assert (logits.shape, logits.dtype) == ((3,), jnp.float32)


def test_generator_has_the_layers_of_the_paper():
    """The feature maps in figure 1 are 4 x 4 x 1024, 8 x 8 x 512, 16 x 16 x 256, 32 x 32 x 128 and 64 x 64 x 3."""
    variables = shapes(dcgan.Generator(resolution=64, img_channels=3, channels=128), latents())
    expected = {
        "linear.kernel": (100, 4 * 4 * 1024),
        "up_1.kernel": (4, 4, 512, 1024),
        "up_2.kernel": (4, 4, 256, 512),
        "up_3.kernel": (4, 4, 128, 256),
        "image.kernel": (4, 4, 3, 128),
        "image.bias": (3,),
    }
    norms = {"norm_0": (1024,), "norm_1": (512,), "norm_2": (256,), "norm_3": (128,)}  # not after the last layer
    assert named(variables["params"]) == expected | {f"{n}.{p}": c for n, c in norms.items() for p in ("scale", "bias")}
    assert named(variables["batch_stats"]) == {f"{n}.{p}": c for n, c in norms.items() for p in ("mean", "var")}
    counted = 100 * 16384 + 16 * (1024 * 512 + 512 * 256 + 256 * 128 + 128 * 3) + 3 + 2 * (1024 + 512 + 256 + 128)
    assert sum(p.size for p in jax.tree.leaves(variables["params"])) == counted == 12_658_435


def test_discriminator_has_the_layers_of_the_paper():
    variables = shapes(dcgan.Discriminator(channels=128), images(64, 3))
    expected = {
        "down_0.kernel": (4, 4, 3, 128),
        "down_0.bias": (128,),  # the first layer has a bias, because no normalisation follows it
        "down_1.kernel": (4, 4, 128, 256),
        "down_2.kernel": (4, 4, 256, 512),
        "down_3.kernel": (4, 4, 512, 1024),
        "logit.kernel": (4 * 4 * 1024, 1),
        "logit.bias": (1,),
    }
    norms = {"norm_1": (256,), "norm_2": (512,), "norm_3": (1024,)}
    assert named(variables["params"]) == expected | {f"{n}.{p}": c for n, c in norms.items() for p in ("scale", "bias")}
    assert named(variables["batch_stats"]) == {f"{n}.{p}": c for n, c in norms.items() for p in ("mean", "var")}
    counted = 16 * (3 * 128 + 128 * 256 + 256 * 512 + 512 * 1024) + 128 + 2 * (256 + 512 + 1024) + 16384 + 1
    assert sum(p.size for p in jax.tree.leaves(variables["params"])) == counted == 11_036_289


def test_discriminator_without_normalisation_has_biases():
    variables = shapes(dcgan.Discriminator(4, norm="none"), images(16, 3))
    assert variables.keys() == {"params"}
    assert {name for name in named(variables) if name.endswith("bias")} == {
        "params.down_0.bias", "params.down_1.bias", "params.logit.bias"
    }  # fmt: skip


def test_initial_weights():
    """Kernels are drawn from N(0, 0.02) (section 4), and scales from N(1, 0.02), as in the official code."""
    g = jax.jit(lambda: dcgan.Generator(16, channels=32).init(jax.random.key(0), latents(), train=True))()
    d = jax.jit(lambda: dcgan.Discriminator(32).init(jax.random.key(1), images(16, 3), train=True))()
    for path, p in jax.tree_util.tree_leaves_with_path((g["params"], d["params"])):
        kind = path[-1].key
        mean, deviation = {"kernel": (0, 0.02), "scale": (1, 0.02), "bias": (0, 0)}[kind]
        assert np.mean(p) == pytest.approx(mean, abs=0.007), path
        assert np.std(p) == pytest.approx(deviation, rel=0.3 if kind == "scale" else 0.06), path
    for path, p in jax.tree_util.tree_leaves_with_path((g["batch_stats"], d["batch_stats"])):
        assert (np.asarray(p) == (path[-1].key == "var")).all()


class FlaxGenerator(nn.Module):
    """``dcgan.Generator(16, 5, 6)`` written with flax's layers."""

    @nn.compact
    def __call__(self, z, train):

        def norm(name):
            return nn.BatchNorm(use_running_average=not train, momentum=0.9, name=name)

        def up(features, bias, name):
            kwargs = {"padding": "SAME", "transpose_kernel": True, "use_bias": bias}
            return nn.ConvTranspose(features, (4, 4), (2, 2), name=name, **kwargs)

        x = nn.Dense(4 * 4 * 12, use_bias=False, name="linear")(z).reshape(-1, 4, 4, 12)
        x = nn.relu(norm("norm_0")(x))
        x = nn.relu(norm("norm_1")(up(6, False, "up_1")(x)))
        return jnp.tanh(up(5, True, "image")(x))


class FlaxDiscriminator(nn.Module):
    """``dcgan.Discriminator(6)`` for images of 16 x 16 pixels, written with flax's layers."""

    norm: bool

    @nn.compact
    def __call__(self, x, train):
        x = nn.leaky_relu(nn.Conv(6, (4, 4), (2, 2), name="down_0")(x), 0.2)
        x = nn.Conv(12, (4, 4), (2, 2), use_bias=not self.norm, name="down_1")(x)
        if self.norm:
            x = nn.BatchNorm(use_running_average=not train, momentum=0.9, name="norm_1")(x)
        x = nn.leaky_relu(x, 0.2)
        return nn.Dense(1, name="logit")(x.reshape(len(x), -1))[:, 0]


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("name", ["generator", "discriminator", "discriminator without norms"])
def test_networks_equal_flaxs_layers(name, train):
    ours, theirs, x = {
        "generator": (dcgan.Generator(16, 5, 6), FlaxGenerator(), latents()),
        "discriminator": (dcgan.Discriminator(6), FlaxDiscriminator(norm=True), images(16, 3)),
        "discriminator without norms": (dcgan.Discriminator(6, norm="none"), FlaxDiscriminator(norm=False), images(16, 3)),
    }[name]  # fmt: skip
    variables = drawn(ours, x)

    def apply(module):
        return jax.jit(lambda v: module.apply(v, x, train=train, mutable=["batch_stats"]))(variables)

    (out, stats), (expected, expected_stats) = apply(ours), apply(theirs)
    assert np.std(expected) > 0.05
    np.testing.assert_allclose(out, expected, atol=1e-5)
    assert jax.tree.structure(stats) == jax.tree.structure(expected_stats)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5, rtol=1e-5), stats, expected_stats)
    if name == "generator":
        assert np.abs(out).max() < 1


@pytest.mark.parametrize("base", [1, 2, 8])
def test_base_resolution_determines_the_number_of_levels(base):
    x = images(16, 1)
    g, d = dcgan.Generator(16, 1, 2, base), dcgan.Discriminator(2, base)
    levels = {1: 4, 2: 3, 8: 1}[base]
    g_shapes, d_shapes = named(shapes(g, latents())["params"]), named(shapes(d, x)["params"])
    assert g_shapes["linear.kernel"] == (100, base * base * 2**levels)
    assert d_shapes["logit.kernel"] == (base * base * 2**levels, 1)
    kernels = [name for name in (*g_shapes, *d_shapes) if name.endswith("kernel")]
    assert [sum(name.startswith(kind) for name in kernels) for kind in ("up", "down")] == [
        levels - 1, levels
    ]  # fmt: skip
    assert jax.eval_shape(lambda: g.init_with_output(jax.random.key(0), latents(), train=True)[0]).shape == x.shape


def test_examples_affect_each_other_only_through_batch_norm_in_training():
    x = images(16, 1, count=4)
    others = x.at[2:].set(images(16, 1, count=2))
    for norm, train, depends in (("batch", True, True), ("batch", False, False), ("none", True, False)):
        d = dcgan.Discriminator(4, norm=norm)
        variables = drawn(d, x)
        apply = jax.jit(lambda x, d=d, v=variables, train=train: d.apply(v, x, train=train, mutable=["batch_stats"])[0])
        change = np.abs(apply(x)[:2] - apply(others)[:2]).max()
        assert (change > 1e-2) == depends
        assert depends or change < 1e-5


@pytest.mark.parametrize("name", ["generator", "discriminator"])
def test_bfloat16_network_has_float32_parameters_and_outputs(name):
    module, x = {
        "generator": (dcgan.Generator(16, channels=8), latents(8)),
        "discriminator": (dcgan.Discriminator(8), images(16, 3, 8)),
    }[name]
    half = module.clone(dtype=jnp.bfloat16)
    variables = drawn(module, x)
    assert {p.dtype for p in jax.tree.leaves(shapes(half, x))} == {jnp.dtype(jnp.float32)}

    def apply(module):
        return jax.jit(lambda v: module.apply(v, x, train=True, mutable=["batch_stats"]))(variables)

    (out, stats), (expected, _) = apply(half), apply(module)
    assert out.dtype == jnp.float32
    inner = jax.eval_shape(
        lambda v: half.apply(v, x, train=False, capture_intermediates=True, mutable=["intermediates"])[1][
            "intermediates"
        ],
        variables,
    )
    layers = {name: inner[name]["__call__"][0].dtype for name in variables["params"]}
    assert set(layers.values()) == {jnp.dtype(jnp.bfloat16)}
    assert {p.dtype for p in jax.tree.leaves(stats)} == {jnp.dtype(jnp.float32)}
    assert 1e-4 < np.abs(out - expected).max() < 0.15 * np.abs(expected).max()


def test_discriminate_in_one_dimension_equals_flaxs_layers():
    """The input is a batch of signals, [B, n, C]."""

    class Ours(nn.Module):
        channels: int = 3
        base_resolution: int = 4
        norm: str = "batch"
        dtype: jnp.dtype = jnp.float32

        @nn.compact
        def __call__(self, x, train):
            return dcgan.discriminate(self, x, train)

    class Flaxs(nn.Module):
        @nn.compact
        def __call__(self, x, train):
            x = nn.leaky_relu(nn.Conv(3, (4,), (2,), name="down_0")(x), 0.2)
            x = nn.Conv(6, (4,), (2,), use_bias=False, name="down_1")(x)
            x = nn.leaky_relu(nn.BatchNorm(use_running_average=not train, momentum=0.9, name="norm_1")(x), 0.2)
            return nn.Dense(1, name="logit")(x.reshape(len(x), -1))[:, 0]

    x = jnp.array(np.random.default_rng(1).normal(size=(5, 16, 2)), jnp.float32)
    variables = drawn(Ours(), x)
    assert jax.tree.map(jnp.shape, variables) == jax.tree.map(jnp.shape, drawn(Flaxs(), x))
    for train in (True, False):
        ours, theirs = (m.apply(variables, x, train=train, mutable=["batch_stats"])[0] for m in (Ours(), Flaxs()))
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
        assert np.std(theirs) > 0.05


def test_networks_with_instance_norm_have_biases_and_no_batch_statistics():
    """Instance normalisation has no parameters, so the convolutions have biases."""
    g, d = dcgan.Generator(16, 1, 2, norm="instance"), dcgan.Discriminator(2, norm="instance")
    g_shapes, d_shapes = shapes(g, latents()), shapes(d, images(16, 1))
    assert g_shapes.keys() == d_shapes.keys() == {"params"}
    assert {"linear.bias", "up_1.bias", "image.bias"} <= named(g_shapes["params"]).keys()
    assert {"down_0.bias", "down_1.bias", "logit.bias"} <= named(d_shapes["params"]).keys()
    plain = dcgan.Discriminator(2, norm="none")
    variables, x = drawn(d, images(16, 1)), images(16, 1)
    assert np.abs(d.apply(variables, x, True) - plain.apply(variables, x, True)).max() > 1e-3

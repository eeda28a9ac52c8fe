"""Compare 3D-GAN with the layers of the paper, and with the same networks and losses written in PyTorch."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers.parameters import drawn, named, shapes

from experiments import gan3d as experiment
from jaxgan.core.keys import example_keys
from jaxgan.models import gan3d

RNG = np.random.default_rng(0)


def cubes(side, count=3):
    return jnp.array(RNG.choice([-1.0, 1.0], size=(count, side, side, side, 1)), jnp.float32)


def latents(count=3, size=200):
    return jnp.array(RNG.uniform(size=(count, size)), jnp.float32)


@pytest.mark.parametrize(("size", "width", "base"), [(8, 5, 4), (16, 1, 2), (32, 3, 4)])
def test_shapes(size, width, base):
    g, d = gan3d.Generator(size, width, base), gan3d.Discriminator(width, base)
    out = jax.eval_shape(lambda: g.init_with_output(jax.random.key(0), latents(), train=True)[0])
    assert (out.shape, out.dtype) == ((3, size, size, size, 1), jnp.float32)
    logits = jax.eval_shape(lambda x: d.init_with_output(jax.random.key(0), x, train=True)[0], out)
    assert (logits.shape, logits.dtype) == ((3,), jnp.float32)


def test_generator_has_the_layers_of_the_paper():
    """The feature maps in figure 2 are 4^3 x 512, 8^3 x 256, 16^3 x 128, 32^3 x 64 and 64^3 x 1.

    There are 200 latents, and the convolutions have kernels of 4^3 and a stride of 2.
    """
    variables = shapes(gan3d.Generator(), latents())
    expected = {
        "linear.kernel": (200, 4**3 * 512),
        "up_1.kernel": (4, 4, 4, 256, 512),
        "up_2.kernel": (4, 4, 4, 128, 256),
        "up_3.kernel": (4, 4, 4, 64, 128),
        "voxels.kernel": (4, 4, 4, 1, 64),
        "voxels.bias": (1,),
    }
    norms = {"norm_0": (512,), "norm_1": (256,), "norm_2": (128,), "norm_3": (64,)}
    assert named(variables["params"]) == expected | {f"{n}.{p}": c for n, c in norms.items() for p in ("scale", "bias")}
    assert named(variables["batch_stats"]) == {f"{n}.{p}": c for n, c in norms.items() for p in ("mean", "var")}


def test_discriminator_has_the_layers_of_the_paper():
    """The discriminator mirrors the generator. Layers without normalisation have a bias."""
    variables = shapes(gan3d.Discriminator(), jnp.zeros((1, 64, 64, 64, 1)))
    expected = {
        "down_0.kernel": (4, 4, 4, 1, 64),
        "down_0.bias": (64,),
        "down_1.kernel": (4, 4, 4, 64, 128),
        "down_2.kernel": (4, 4, 4, 128, 256),
        "down_3.kernel": (4, 4, 4, 256, 512),
        "logit.kernel": (4**3 * 512, 1),
        "logit.bias": (1,),
    }
    norms = {"norm_1": (128,), "norm_2": (256,), "norm_3": (512,)}
    assert named(variables["params"]) == expected | {f"{n}.{p}": c for n, c in norms.items() for p in ("scale", "bias")}


def test_discriminator_without_normalisation_has_biases():
    variables = shapes(gan3d.Discriminator(4, norm="none"), cubes(16))
    assert variables.keys() == {"params"}
    assert {n for n in named(variables["params"]) if n.endswith("bias")} == {"down_0.bias", "down_1.bias", "logit.bias"}


@pytest.mark.integration
def test_initial_weights():
    g = jax.jit(lambda: gan3d.Generator(8, 64).init(jax.random.key(0), latents(), train=False))()
    d = jax.jit(lambda: gan3d.Discriminator(64).init(jax.random.key(1), cubes(8), train=False))()
    for path, p in jax.tree_util.tree_leaves_with_path((g["params"], d["params"])):
        mean, deviation = {"kernel": (0, 0.02), "scale": (1, 0), "bias": (0, 0)}[path[-1].key]
        assert np.mean(p) == pytest.approx(mean, abs=0.003), path
        assert np.std(p) == pytest.approx(deviation, rel=0.1), path


def test_zero_padding_means_empty_space():
    """Features of a solid do not change if empty voxels (-1) surround it, because the discriminator maps -1 to 0."""
    d, x = gan3d.Discriminator(2, norm="none"), cubes(8, 1)
    wider = jnp.pad(x, [(0, 0), (4, 4), (4, 4), (4, 4), (0, 0)], constant_values=-1)
    params = drawn(d, wider)["params"]

    @jax.jit
    def first(x):
        # The kernel of the last layer depends on the size of the input. Its output is not used.
        fitting = {**params, "logit": {**params["logit"], "kernel": jnp.zeros((2 * 4**3 * (1 + (x.shape[1] > 8)), 1))}}
        return d.apply({"params": fitting}, x, train=True, capture_intermediates=True)[1]["intermediates"]["down_0"][
            "__call__"
        ][0]

    np.testing.assert_allclose(first(wider)[:, 2:6, 2:6, 2:6], first(x), atol=1e-5)
    assert np.std(first(x)) > 0.1


def test_bfloat16_networks_have_float32_outputs():
    for module, x in ((gan3d.Generator(8, 4), latents()), (gan3d.Discriminator(4), cubes(8))):
        half = module.clone(dtype=jnp.bfloat16)
        variables = drawn(module, x)
        inner = jax.eval_shape(
            lambda v, half=half, x=x: half.apply(v, x, train=False, capture_intermediates=True, mutable=True), variables
        )
        out, kept = inner
        assert out.dtype == jnp.float32
        layers = {n: kept["intermediates"][n]["__call__"][0].dtype for n in variables["params"] if "norm" not in n}
        assert set(layers.values()) == {jnp.dtype(jnp.bfloat16)}


BAD = {
    "resolution that is no multiple of the base": (
        lambda: gan3d.Generator(30),
        latents,
        r"must be a power of two times `base_resolution` \(4\), got 30. Use 16 or 32, or `base_resolution` 15.",
    ),
    "resolution equal to the base": (
        lambda: gan3d.Generator(4),
        latents,
        "`base_resolution` must be between 1 and 2 for `resolution` 4, got 4.",
    ),
    "base equal to the resolution": (
        lambda: gan3d.Generator(16, base_resolution=16),
        latents,
        "`base_resolution` must be between 1 and 8 for `resolution` 16, got 16.",
    ),
    "images": (
        gan3d.Discriminator,
        lambda: jnp.zeros((2, 16, 16, 1)),
        r"Voxels must be cubes, .*, got the shape \(2, 16, 16, 1\)",
    ),
    "sides of different lengths": (gan3d.Discriminator, lambda: jnp.zeros((2, 16, 16, 8, 1)), "Voxels must be cubes"),
}


@pytest.mark.parametrize(("make", "x", "message"), BAD.values(), ids=BAD.keys())
def test_errors(make, x, message):
    with pytest.raises(ValueError, match=message):
        shapes(make(), x())


def pytorch():
    """Return PyTorch, and the generator and discriminator of 3D-GAN written in it.

    The classes share only the names of the parameters with jaxgan.
    """
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install -e '.[torch]'")
    nn = torch.nn

    class Generator(nn.Module):
        """Generator that starts from a single voxel, as in the paper, with sides of 4, 8 and 16; output in (0, 1)."""

        def __init__(self, z, width):
            super().__init__()
            self.linear = nn.ConvTranspose3d(z, 2 * width, 4, bias=False)
            self.norm_0 = nn.BatchNorm3d(2 * width)
            self.up_1 = nn.ConvTranspose3d(2 * width, width, 4, 2, 1, bias=False)
            self.norm_1 = nn.BatchNorm3d(width)
            self.voxels = nn.ConvTranspose3d(width, 1, 4, 2, 1)

        def forward(self, z):
            x = torch.relu(self.norm_0(self.linear(z[:, :, None, None, None])))
            return torch.sigmoid(self.voxels(torch.relu(self.norm_1(self.up_1(x)))))

    class Discriminator(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.down_0 = nn.Conv3d(1, width, 4, 2, 1)
            self.down_1 = nn.Conv3d(width, 2 * width, 4, 2, 1, bias=False)
            self.norm_1 = nn.BatchNorm3d(2 * width)
            self.logit = nn.Conv3d(2 * width, 1, 4)

        def forward(self, x):
            x = nn.functional.leaky_relu(self.down_0(x), 0.2)
            x = nn.functional.leaky_relu(self.norm_1(self.down_1(x)), 0.2)
            return self.logit(x).flatten()

    return torch, Generator, Discriminator


def to_torch(torch, variables):
    """Convert jaxgan's parameters to PyTorch's names and layouts."""
    found = {}
    for layer, leaves in variables["params"].items():
        for leaf, value in leaves.items():
            value = np.asarray(value)
            if layer == "linear":  # [z, 4^3 C] to [z, C, 4, 4, 4]
                value = value.reshape(len(value), 4, 4, 4, -1).transpose(0, 4, 1, 2, 3)
            elif layer == "logit" and leaf == "kernel":  # [4^3 C, 1] to [1, C, 4, 4, 4]
                value = value.reshape(4, 4, 4, -1, 1).transpose(4, 3, 0, 1, 2)
            elif leaf == "kernel":
                value = value.transpose(4, 3, 0, 1, 2)
            found[f"{layer}.{'bias' if leaf == 'bias' else 'weight'}"] = torch.tensor(value.copy())
    for layer, leaves in variables.get("batch_stats", {}).items():
        for leaf, value in leaves.items():
            found[f"{layer}.running_{leaf}"] = torch.tensor(np.array(value))
    return found


def load(torch, net, variables):
    missing, unexpected = net.load_state_dict(to_torch(torch, variables), strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    return net


def channels_first(torch, x):
    return torch.tensor(np.moveaxis(np.array(x), -1, 1).copy())


@pytest.mark.parametrize("train", [True, False])
def test_forward_passes_equal_pytorchs(train):
    torch, Generator, Discriminator = pytorch()
    for ours, theirs, x in (
        (gan3d.Generator(16, 3), Generator(200, 3), latents()),
        (gan3d.Discriminator(3), Discriminator(3), cubes(16)),
    ):
        variables = drawn(ours, x)
        out = jax.jit(lambda v, m=ours, x=x: m.apply(v, x, train=train, mutable=["batch_stats"])[0])(variables)
        net = load(torch, theirs, variables).train(train)
        with torch.no_grad():
            if out.ndim == 1:
                expected = net((channels_first(torch, x) + 1) / 2).numpy()
            else:
                expected = np.moveaxis(net(torch.tensor(np.array(x))).numpy(), 1, -1) * 2 - 1
        assert np.std(expected) > 0.01
        np.testing.assert_allclose(out, expected, atol=1e-4)


def test_losses_and_gradients_of_a_step_equal_pytorchs():
    """Train one step of the experiment with plain gradient descent.

    The update of the parameters is then proportional to the gradient.
    """
    torch, Generator, Discriminator = pytorch()
    small = {"z_dim": 5, "resolution": 16, "g_channels": 2, "d_channels": 2}
    # Batch normalisation and no R1, as in the paper.
    rate, config = 0.5, experiment.Config.tiny(**small, d_norm="batch", r1_gamma=0.0)
    built = experiment.build(config)
    sgd = {n: dataclasses.replace(p, optimizer=optax.sgd(rate)) for n, p in built.game.players.items()}
    game = dataclasses.replace(built.game, players=sgd)
    state = jax.jit(game.init)(jax.random.key(0))
    real = cubes(16, 8)
    # With some other seeds, all ReLUs of such narrow networks are inactive, and all gradients are 0.
    variables = {"g": drawn(gan3d.Generator(16, 2), latents(8, 5)), "d": drawn(gan3d.Discriminator(2), real, 2)}
    state = state.replace(
        params={n: v["params"] for n, v in variables.items()},
        stats={n: {"batch_stats": v["batch_stats"]} for n, v in variables.items()},
    )
    after, metrics = jax.jit(game.step)(state, {"image": real})
    keys = example_keys(jax.random.fold_in(jax.random.fold_in(state.key, 0), 0), real)

    g, d = load(torch, Generator(5, 2), variables["g"]), load(torch, Discriminator(2), variables["d"])
    cross_entropy = torch.nn.functional.binary_cross_entropy_with_logits
    x, z = (channels_first(torch, real) + 1) / 2, torch.tensor(np.array(built.sampling.latents(keys)))
    real_logits, fake_logits = d(x), d(g(z).detach())
    loss_d = cross_entropy(real_logits, torch.ones(8)) + cross_entropy(fake_logits, torch.zeros(8))
    accuracy = ((real_logits > 0).float().mean() + (fake_logits < 0).float().mean()) / 2
    torch.optim.SGD(d.parameters(), rate).step(lambda: (d.zero_grad(), loss_d.backward(), loss_d)[-1])
    loss_g = cross_entropy(d(g(z)), torch.ones(8))
    torch.optim.SGD(g.parameters(), rate).step(lambda: (g.zero_grad(), loss_g.backward(), loss_g)[-1])

    expected_metrics = {"d/loss": loss_d, "g/loss": loss_g, "d/accuracy": accuracy}
    for name, value in expected_metrics.items():
        assert float(metrics[name]) == pytest.approx(value.item(), rel=1e-4), name
    for name, net in {"g": g, "d": d}.items():
        found = to_torch(torch, {"params": after.params[name]})
        before = to_torch(torch, {"params": state.params[name]})
        error, update = 0.0, 0.0
        for key, expected in net.named_parameters():
            error += float((found[key] - expected.detach()).square().sum())
            update += float((expected.detach() - before[key]).square().sum())
        assert update > 1e-4, f"The parameters of {name} did not change, so the test compares nothing."
        assert (error / update) ** 0.5 < 1e-4, name

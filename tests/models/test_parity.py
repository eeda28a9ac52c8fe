"""Compare networks, losses and gradients with independent PyTorch implementations that use the same weights.

tests/benchmarks/test_agreement.py compares DCGAN, WGAN-GP and the multi-layer perceptrons.
"""

import functools
import math

import jax
import numpy as np
import pytest

from jaxgan import losses
from jaxgan.core.networks import Function, Net
from jaxgan.models import cgan, r3gan, resnet, srgan

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install -e '.[torch]'")
from torch.nn import functional as F  # noqa: E402

LABELS = np.array([2, 0, 1, 2, 2, 1])
CLASSES, BATCH = 3, 6


def images(seed, size=8, channels=3):
    return np.random.default_rng(seed).uniform(-1, 1, (BATCH, size, size, channels)).astype(np.float32)


def noise(size, seed=7):
    return np.random.default_rng(seed).normal(size=(BATCH, size)).astype(np.float32)


def function(module, *inputs, **kwargs):
    """Return the network with random parameters, also for those that are initialised to a constant."""
    variables = dict(jax.jit(functools.partial(module.init, **kwargs))(jax.random.key(0), *inputs))
    rng = np.random.default_rng(1)
    params = jax.tree.map(lambda x: x + 0.1 * rng.normal(size=x.shape).astype(np.float32), variables.pop("params"))
    return Function(params, variables, Net(module, *inputs), True)


class Parameters:
    """jaxgan's parameters as PyTorch tensors with gradients, by their paths."""

    def __init__(self, params):
        flat = jax.tree_util.tree_flatten_with_path(params)[0]
        arrays = {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in flat}
        self.tensors = {path: torch.tensor(np.asarray(leaf), requires_grad=True) for path, leaf in arrays.items()}

    def __getitem__(self, path):
        return self.tensors[path]

    def conv(self, x, path, kernel=None, **kwargs):
        w = self[f"{path}/kernel"] if kernel is None else kernel
        bias = self.tensors.get(f"{path}/bias")
        return F.conv2d(x, w.permute(3, 2, 0, 1), bias, padding=(w.shape[0] - 1) // 2, **kwargs)

    def dense(self, x, path, kernel=None):
        w = self[f"{path}/kernel"] if kernel is None else kernel
        return F.linear(x, w.T, self.tensors.get(f"{path}/bias"))

    def table(self, path, label):
        return self[path][torch.tensor(label)]


def largest_error(ours, theirs):
    """Return the largest difference, divided by the largest value if this is above 1."""
    ours = np.asarray(ours)
    return np.abs(ours - theirs.detach().numpy()).max() / max(1, np.abs(ours).max())


def assert_agreement(ours, theirs, grads, parameters):
    """Assert that the values agree, and that the gradients agree relative to the norm of the complete gradient."""
    assert largest_error(ours, theirs) < 1e-4
    flat = {
        jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf)
        for path, leaf in jax.tree_util.tree_flatten_with_path(grads)[0]
    }
    assert flat.keys() == parameters.tensors.keys()
    whole = math.sqrt(sum(float(np.square(x).sum()) for x in flat.values()))
    assert whole > 1e-3
    for path, leaf in flat.items():
        other = parameters[path].grad
        other = np.zeros_like(leaf) if other is None else other.numpy()
        assert np.linalg.norm(leaf - other) < 1e-4 * whole, path


def channels_first(x):
    return torch.tensor(np.asarray(x)).permute(0, 3, 1, 2)


# SNGAN


def normalized(w, u):
    """Return a kernel after spectral normalisation, with one step of power iteration that starts from ``u``.

    Source: Miyato et al. 2018, algorithm 1.
    """
    matrix = w.reshape(-1, w.shape[-1])
    with torch.no_grad():
        v = F.normalize(matrix @ u, dim=0)
        u = F.normalize(matrix.T @ v, dim=0)
        v = F.normalize(matrix @ u, dim=0)
    return w / (v @ matrix @ u)


def sn_critic(p, spectral, x, label):
    def kernel(path, leaf="kernel"):
        u = spectral
        for part in path.split("/"):
            u = u[part]
        return normalized(p[f"{path}/{leaf}"], torch.tensor(np.asarray(u["u"])))

    def conv(x, path):
        return p.conv(x, path, kernel(path))

    y = conv(F.relu(conv(x, "conv_0")), "down_0")
    x = F.avg_pool2d(y, 2) + conv(F.avg_pool2d(x, 2), "shortcut_0")
    y = conv(F.relu(conv(F.relu(x), "conv_1")), "down_1")
    x = F.avg_pool2d(y, 2) + F.avg_pool2d(conv(x, "shortcut_1"), 2)
    for i in (2, 3):
        x = x + conv(F.relu(conv(F.relu(x), f"conv_{i}_0")), f"conv_{i}_1")
    x = F.relu(x).sum((2, 3))
    projection = (x * kernel("projection", "embedding")[torch.tensor(label)]).sum(1)
    return F.linear(x, kernel("value").T).view(-1) + projection


@pytest.mark.slow
def test_sngan_discriminator():
    module = resnet.Critic(8, spectral_norm=True, sum_pool=True, classes=CLASSES)
    real, fake = images(0), images(1)
    d = function(module, real, LABELS)

    def loss(params):
        net = d.replace(params=params)
        return losses.hinge_discriminator(net(real, LABELS), net(fake, LABELS)).mean()

    value, grads = jax.jit(jax.value_and_grad(loss))(d.params)
    p = Parameters(d.params)
    logits = [sn_critic(p, d.stats["spectral"], channels_first(x), LABELS) for x in (real, fake)]
    theirs = F.relu(1 - logits[0]).mean() + F.relu(1 + logits[1]).mean()
    theirs.backward()
    assert_agreement(value, theirs, grads, p)
    np.testing.assert_allclose(d(real, LABELS), logits[0].detach().numpy(), rtol=1e-4, atol=1e-4)


def conditional_generator(p, z, label, size=8):
    def norm(x, path, classes):
        scale, bias = (p.table(f"{path}/{leaf}", label)[:, :, None, None] for leaf in ("scale", "bias"))
        return F.batch_norm(x, None, None, training=True, eps=1e-5) * scale + bias

    width = p["norm/scale"].shape[0]
    x = p.dense(z, "linear").view(-1, 4, 4, width).permute(0, 3, 1, 2)
    for i in range(int(math.log2(size // 4))):
        y = F.interpolate(F.relu(norm(x, f"norm_{i}_0", CLASSES)), scale_factor=2)
        y = F.relu(norm(p.conv(y, f"up_{i}"), f"norm_{i}_1", CLASSES))
        x = p.conv(F.interpolate(x, scale_factor=2), f"shortcut_{i}") + p.conv(y, f"conv_{i}")
    x = F.batch_norm(x, None, None, p["norm/scale"], p["norm/bias"], training=True, eps=1e-5)
    return torch.tanh(p.conv(F.relu(x), "image"))


def test_sngan_conditional_generator():
    module = resnet.Generator(8, 3, 8, classes=CLASSES)
    z, weights = noise(16), images(3)
    g = function(module, z, LABELS, train=True)

    def loss(params):
        return (g.replace(params=params)(z, LABELS) * weights).sum()

    value, grads = jax.jit(jax.value_and_grad(loss))(g.params)
    p = Parameters(g.params)
    x = conditional_generator(p, torch.tensor(z), LABELS)
    theirs = (x * channels_first(weights)).sum()
    theirs.backward()
    assert_agreement(value, theirs, grads, p)


# R3GAN


def block(p, path, x, group):
    y = F.leaky_relu(p.conv(x, f"{path}/expand") + p[f"{path}/activation_0/bias"].view(1, -1, 1, 1), 0.2)
    w = p[f"{path}/mix/kernel"]  # [groups, 3, 3, in, out]
    w = w.permute(0, 4, 3, 1, 2).reshape(-1, group, 3, 3)
    y = F.conv2d(y, w, padding=1, groups=len(w) // group)
    y = F.leaky_relu(y + p[f"{path}/activation_1/bias"].view(1, -1, 1, 1), 0.2)
    return x + p.conv(y, f"{path}/join")


FILTER = torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])) / 64


def filtered(x, transposed):
    w = FILTER.expand(x.shape[1], 1, 4, 4)
    if transposed:
        return F.conv_transpose2d(x, 4 * w, stride=2, padding=1, groups=x.shape[1])
    return F.conv2d(x, w, stride=2, padding=1, groups=x.shape[1])


def r3_generator(p, z, label, stages, group):
    z = torch.cat([z, p.table("label/embedding", label)], 1)
    x = p.dense(z, "linear")[:, :, None, None] * p["basis"].permute(2, 0, 1)[None]
    for i in range(stages):
        if i > 0:
            x = filtered(p.conv(x, f"width_{i}") if f"width_{i}/kernel" in p.tensors else x, True)
        x = block(p, f"block_{i}_0", x, group)
    return p.conv(x, "image")


def r3_discriminator(p, x, label, stages, group):
    x = p.conv(x, "width_0")
    for i in range(stages):
        if i > 0:
            x = filtered(x, False)
            x = p.conv(x, f"width_{i}") if f"width_{i}/kernel" in p.tensors else x
        x = block(p, f"block_{i}_0", x, group)
    x = p.dense((x * p["basis"].permute(2, 0, 1)[None]).sum((2, 3)), "linear")
    return (x * p.table("label/embedding", label)).sum(1)


@pytest.mark.slow
def test_r3gan_discriminator_with_both_penalties():
    widths = (8, 4)
    module = r3gan.Discriminator(widths[::-1], 1, 4, CLASSES, embedding_dim=5)
    real, fake = images(0), images(1)
    d = function(module, real, LABELS)

    def loss(params):
        def net(x):
            return d.replace(params=params)(x, LABELS)

        adversarial = losses.relativistic_discriminator(net(real), net(fake))
        return (adversarial + 0.5 * (losses.r1(net, real) + losses.r2(net, fake))).mean()

    value, grads = jax.jit(jax.value_and_grad(loss))(d.params)
    p = Parameters(d.params)
    pixels = [channels_first(x).requires_grad_() for x in (real, fake)]
    logits = [r3_discriminator(p, x, LABELS, 2, 4) for x in pixels]
    theirs = F.softplus(logits[1] - logits[0])
    for x, logit in zip(pixels, logits):
        (gradient,) = torch.autograd.grad(logit.sum(), x, create_graph=True)
        theirs = theirs + 0.5 * gradient.square().sum((1, 2, 3))
    theirs.mean().backward()
    assert_agreement(value, theirs.mean(), grads, p)


@pytest.mark.parametrize("widths", [(8, 8), (8, 4)])
def test_r3gan_generator(widths):
    module = r3gan.Generator(widths, 3, 1, 4, CLASSES)
    z, weights = noise(6), images(3)
    g = function(module, z, LABELS)

    def loss(params):
        return (g.replace(params=params)(z, LABELS) * weights).sum()

    value, grads = jax.jit(jax.value_and_grad(loss))(g.params)
    p = Parameters(g.params)
    theirs = (r3_generator(p, torch.tensor(z), LABELS, 2, 4) * channels_first(weights)).sum()
    theirs.backward()
    assert_agreement(value, theirs, grads, p)


# CGAN, without dropout, because the frameworks draw different random numbers.


def maxout(p, x, path, pieces):
    x = p.dense(x, path)
    return x.view(len(x), -1, pieces).amax(-1)


@pytest.mark.parametrize("projection", [False, True])
def test_cgan(projection):
    g = function(cgan.Generator((8, 8, 1), CLASSES, (6, 8, 10)), noise(5), LABELS)
    module = cgan.Discriminator(CLASSES, (6, 4, 5), (3, 2, 2), 0.0, projection)
    real = images(0, channels=1)
    d = function(module, real, LABELS)
    z = noise(5)

    def loss(params):
        fake_logits = d.replace(params=params["d"])(g.replace(params=params["g"])(z, LABELS), LABELS)
        return losses.minimax_discriminator(d.replace(params=params["d"])(real, LABELS), fake_logits).mean()

    both = {"d": d.params, "g": g.params}
    value, grads = jax.jit(jax.value_and_grad(loss))(both)
    p = Parameters(both)
    label = F.one_hot(torch.tensor(LABELS), CLASSES).float()

    def generator(z):
        parts = F.relu(p.dense(z, "g/latents")), F.relu(p.dense(label, "g/label"))
        return torch.tanh(p.dense(F.relu(p.dense(torch.cat(parts, 1), "g/joint")), "g/image"))

    def discriminator(x):
        x = maxout(p, (x + 1) / 2, "d/image", 3)
        x = x if projection else torch.cat([x, maxout(p, label, "d/label", 2)], 1)
        x = maxout(p, x, "d/joint", 2)
        logits = p.dense(x, "d/logit").view(-1)
        return logits + (x * p.table("d/projection/embedding", LABELS)).sum(1) if projection else logits

    theirs = F.softplus(-discriminator(torch.tensor(real).view(BATCH, -1))) + F.softplus(
        discriminator(generator(torch.tensor(z)))
    )
    theirs.mean().backward()
    assert_agreement(value, theirs.mean(), grads, p)


# SRGAN


def prelu(p, x, path):
    return F.prelu(x, p[f"{path}/slope"])


def batch_norm(p, x, path):
    return F.batch_norm(x, None, None, p[f"{path}/scale"], p[f"{path}/bias"], training=True, eps=1e-5)


def super_resolution(p, x, blocks):
    def layer(x, path):
        return batch_norm(p, p.conv(x, path), f"{path}_norm")

    x = first = prelu(p, p.conv(x, "g/first"), "g/first_slope")
    for i in range(blocks):
        x = x + layer(prelu(p, layer(x, f"g/block_{i}_0"), f"g/block_{i}_slope"), f"g/block_{i}_1")
    x = first + layer(x, "g/last")
    for i in range(2):
        x = prelu(p, F.pixel_shuffle(p.conv(x, f"g/up_{i}"), 2), f"g/up_{i}_slope")
    return p.conv(x, "g/image")


def super_resolution_logits(p, x):
    for i in range(8):
        x = p.conv(x, f"d/conv_{i}", stride=1 + i % 2)
        x = F.leaky_relu(x if i == 0 else batch_norm(p, x, f"d/norm_{i}"), 0.2)
    return p.dense(F.leaky_relu(p.dense(x.mean((2, 3)), "d/hidden"), 0.2), "d/logit").view(-1)


def test_srgan():
    low, blocks = images(0, 5), 2
    g = function(srgan.Generator(3, 4, blocks, 4), low, train=True)
    d = function(srgan.Discriminator(2, 8, global_pool=True), images(1, 20), train=True)
    both = {"g": g.params, "d": d.params}

    def loss(params):
        fake = g.replace(params=params["g"])(low)
        return losses.non_saturating_generator(d.replace(params=params["d"])(fake)).mean()

    value, grads = jax.jit(jax.value_and_grad(loss))(both)
    p = Parameters(both)
    theirs = F.softplus(-super_resolution_logits(p, super_resolution(p, channels_first(low), blocks))).mean()
    theirs.backward()
    assert_agreement(value, theirs, grads, p)


def test_a_network_with_other_labels_differs():
    module = r3gan.Generator((8, 8), 3, 1, 4, CLASSES)
    g = function(module, noise(6), LABELS)
    p = Parameters(g.params)
    ours = g(noise(6), LABELS).transpose(0, 3, 1, 2)
    same, other = (r3_generator(p, torch.tensor(noise(6)), labels, 2, 4) for labels in (LABELS, LABELS[::-1].copy()))
    assert largest_error(ours, same) < 1e-4
    assert largest_error(ours, other) > 1e-2

"""Tests of ADA's transforms: the effect, probability and distribution of each, and derivatives of two orders."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.spatial.transform import Rotation

from jaxgan import augment, losses
from jaxgan.augment import colour, corruption, pipeline
from jaxgan.core.keys import latents, sample_keys

B = 16
IMAGES = np.random.default_rng(0).uniform(-1, 1, (B, 8, 10, 3)).astype(np.float32)
KEYS = sample_keys(0, B)
EVERYTHING = {**augment.BGC, **augment.FILTER, **augment.CORRUPTION}
apply = jax.jit(pipeline.apply)
ada = jax.jit(lambda keys, images, p: augment.ada(keys, images, p, EVERYTHING))


@pytest.fixture(scope="module")
def drawn():
    """Draw the values of all transforms for 40,000 examples at p = 0.4."""
    draws = jax.jit(lambda: pipeline.draw(sample_keys(1, 40_000), 0.4, EVERYTHING))()
    return {name: np.asarray(x) for name, x in draws.items()}


def test_images_are_bitwise_unchanged_at_probability_0():
    np.testing.assert_array_equal(ada(KEYS, IMAGES, 0.0), IMAGES)
    assert (np.asarray(ada(KEYS, IMAGES, 1.0)) != IMAGES).any((1, 2, 3)).all()


def test_a_transform_depends_only_on_the_key_of_its_example():
    """It depends neither on the example's position in the batch nor on the other examples."""
    places = np.r_[5:9, np.zeros(B - 4, int)]
    whole, part = np.asarray(ada(KEYS, IMAGES, 0.7)), ada(KEYS[places], IMAGES[places], 0.7)
    np.testing.assert_array_equal(whole[places], part)
    assert (np.asarray(ada(KEYS[::-1], IMAGES, 0.7)) != whole).any((1, 2, 3)).mean() > 0.9


def test_transforms_are_independent_of_the_latents(drawn):
    z = np.asarray(latents(sample_keys(1, 2000), 4))
    for name in ("scale", "brightness", "noise"):
        values = drawn[name][:2000, 0]
        assert max(abs(np.corrcoef(values, z[:, i])[0, 1]) for i in range(4)) < 0.1


# Fraction of examples that change at probability 0.4, if it is below 0.4: half of the flips and a quarter of the
# rotations by multiples of 90 degrees change nothing.
CHANGES = {"xflip": 0.2, "rotate90": 0.3, "lumaflip": 0.2}


@pytest.mark.parametrize("name", EVERYTHING)
def test_transforms_change_examples_with_their_probability(drawn, name):
    changed = (drawn[name] != 0).any(-1)
    expected = CHANGES.get(name, 1 - 0.6**4 if name == "filter" else 0.4)
    assert changed.mean() == pytest.approx(expected, abs=0.012)


DISTRIBUTIONS = {
    "xint": stats.uniform(-0.125, 0.25), "scale": stats.norm(0, 0.2), "rotate": stats.uniform(-np.pi, 2 * np.pi),
    "aniso": stats.norm(0, 0.2), "xfrac": stats.norm(0, 0.125), "brightness": stats.norm(0, 0.2),
    "contrast": stats.norm(0, 0.5), "hue": stats.uniform(-np.pi, 2 * np.pi), "saturation": stats.norm(0, 1),
    "filter": stats.norm(0, 1), "noise": stats.halfnorm(0, 0.1),
}  # fmt: skip


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_values_have_the_distributions_of_the_paper(drawn, name):
    """A Kolmogorov-Smirnov test compares the values of each transform with their distribution."""
    for values in drawn[name].T:
        assert stats.kstest(values[values != 0], DISTRIBUTIONS[name].cdf).pvalue > 1e-4


def test_rotations_by_90_degrees_and_holes_are_uniform(drawn):
    turns = np.bincount(drawn["rotate90"][:, 0].astype(int), minlength=4) / 40_000
    np.testing.assert_allclose(turns, [0.7, 0.1, 0.1, 0.1], atol=0.01)
    size, *center = drawn["cutout"][drawn["cutout"][:, 0] > 0].T
    assert (size == 0.5).all()
    assert all(stats.kstest(c, "uniform").pvalue > 1e-4 for c in center)


def test_transforms_are_independent(drawn):
    some = np.stack([(drawn[name] != 0).any(-1) for name in EVERYTHING])
    off = np.corrcoef(some) - np.eye(len(some))
    assert np.abs(off).max() < 0.03
    pair = (drawn["rotate"] != 0).mean(0)
    np.testing.assert_allclose(pair, 1 - np.sqrt(0.6), atol=0.01)  # at least one of both has probability 0.4


def test_factors_scale_probabilities_and_other_transforms_do_not_matter():
    keys = sample_keys(2, 4000)
    both = jax.jit(lambda: pipeline.draw(keys, 0.8, {"scale": 0.5, "hue": 1.0}))()
    more = jax.jit(lambda: pipeline.draw(keys, 0.8, augment.BGC))()
    assert set(both) == {"scale", "hue"}
    assert (both["scale"] != 0).mean() == pytest.approx(0.4, abs=0.03)
    np.testing.assert_array_equal(both["hue"], more["hue"])


def values(**numbers):
    return {name: jnp.tile(jnp.asarray([v], jnp.float32), (B, 1)) for name, v in numbers.items()}


def scaled(*factors):
    return np.diag([*factors, 1.0])


def rotated(angle):
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


def moved(x, y):
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])


def test_maps_are_composed_in_the_order_of_the_paper():
    """The expected map is the inverse of the product of all matrices, from the first transform to the last."""
    given = {"xflip": [1], "rotate90": [3], "xint": [0.11, -0.07], "scale": [0.3], "rotate": [0.5, -0.8], "aniso": [-0.2], "xfrac": [0.1, 0.04]}  # fmt: skip
    forward = [
        scaled(-1, 1), rotated(-3 * np.pi / 2), moved(round(0.11 * 40), round(-0.07 * 20)),
        scaled(2**0.3, 2**0.3), rotated(-0.5), scaled(2**-0.2, 2**0.2), rotated(0.8), moved(4.0, 0.8),
    ]  # fmt: skip
    expected = np.linalg.inv(functools.reduce(lambda whole, next: next @ whole, forward))
    inverse = pipeline.inverse(values(**given), B, 20, 40)
    found = np.stack([np.asarray(v)[3] for v in inverse], 1)
    np.testing.assert_allclose(found, expected[:2], atol=1e-5)


def test_colours_change_in_the_order_of_the_paper():
    """The expected colours are products with matrices, with SciPy's rotation about the grey axis."""
    brightness, contrast, hue, saturation = 0.2, 2**0.5, 1.1, 2**-0.7
    grey = np.ones(3) / np.sqrt(3)
    flip = np.eye(3) - 2 * np.outer(grey, grey)
    turn = Rotation.from_rotvec(hue * grey).as_matrix()
    stretch = np.outer(grey, grey) + saturation * (np.eye(3) - np.outer(grey, grey))
    expected = (IMAGES + brightness) * contrast @ (stretch @ turn @ flip).T
    given = values(brightness=[brightness], contrast=[0.5], lumaflip=[1], hue=[hue], saturation=[-0.7])
    np.testing.assert_allclose(apply(KEYS, IMAGES, given), expected, atol=1e-5)
    one = IMAGES[..., :1]
    np.testing.assert_allclose(apply(KEYS, one, given), -(one + brightness) * contrast, atol=1e-5)


def test_groups_contain_all_transforms_once():
    groups = (augment.BLIT, augment.GEOMETRY, augment.COLOUR, augment.FILTER, augment.CORRUPTION)
    names = [name for group in groups for name in group]
    assert names == list(pipeline.DRAWS)  # in the order of the paper
    assert augment.BGC == {**augment.BLIT, **augment.GEOMETRY, **augment.COLOUR}


@pytest.mark.parametrize(
    ("name", "count", "alike"),
    [("xint", 2, 1), ("xfrac", 2, 1), ("cutout", 3, 1), ("rotate", 2, 0.65), ("filter", 4, 0.52)],
)
def test_values_without_own_gates_change_together(drawn, name, count, alike):
    """At p = 0.4, two gates agree with probability q^2 + (1 - q)^2, with q = 1 - sqrt(0.6) for a rotation."""
    draw: pipeline.Draw = pipeline.DRAWS[name]
    changed = drawn[name] != 0
    assert changed.shape[1] == draw.values == count
    assert (changed[:, 0] == changed[:, 1]).mean() == pytest.approx(alike, abs=0.01 * (alike < 1))


def test_noise_is_normal_and_holes_cover_their_rectangle():
    noisy = apply(KEYS, IMAGES, values(noise=[0.3])) - IMAGES
    assert stats.kstest(np.ravel(noisy), stats.norm(0, 0.3).cdf).pvalue > 1e-4
    assert np.abs(np.corrcoef(np.asarray(noisy).reshape(B, -1)) - np.eye(B)).max() < 0.4
    holes = np.asarray(corruption.cutout(IMAGES, jnp.full(B, 0.5), jnp.tile(jnp.array([[0.2, 0.5]]), (B, 1))))
    expected = IMAGES.copy()
    expected[:, 2:6, :4] = 0  # the centres of these columns, 0.05 to 0.35, are within 0.25 of 0.2, or at the border
    np.testing.assert_array_equal(holes[:, :, 5:], IMAGES[:, :, 5:])
    np.testing.assert_array_equal(holes[:, :, :4], expected[:, :, :4])


def d(w, x):
    """Return the logits of a small non-linear discriminator, [B]."""
    return jnp.tanh(x.reshape(len(x), -1) @ w).sum(-1)


@pytest.mark.integration
def test_r1_through_the_augmentation_has_the_correct_gradient():
    """The gradient of E |grad_x D(T(x))|^2 agrees with finite differences, computed in float64 from T's matrix."""
    images = IMAGES[:3, :, :8, :1]
    keys = KEYS[:3]
    w = jnp.asarray(np.random.default_rng(1).normal(size=(64, 4)).astype(np.float32) / 8)

    def view(x):
        return augment.ada(keys, x, 0.9)

    penalty = jax.jit(jax.value_and_grad(lambda w: losses.r1(lambda x: d(w, view(x)), images).mean()))
    value, gradient = penalty(w)
    matrices = np.asarray(jax.jit(lambda x: jacobians(view, x))(images), np.float64)
    seen = np.asarray(jax.jit(view)(images), np.float64).reshape(3, -1)

    def reference(w):
        slopes = (1 - np.tanh(seen @ w) ** 2) @ w.T  # gradient of D at the augmented images, [B, 64]
        return np.square(np.einsum("bop,bo->bp", matrices, slopes)).sum(1).mean()

    w64, step = np.asarray(w, np.float64), 1e-5
    assert float(value) == pytest.approx(reference(w64), rel=1e-4)
    for i, j in ((0, 0), (17, 1), (40, 2), (63, 3)):
        change = np.zeros_like(w64)
        change[i, j] = step
        slope = (reference(w64 + change) - reference(w64 - change)) / (2 * step)
        assert float(gradient[i, j]) == pytest.approx(slope, rel=2e-3, abs=1e-5)


def jacobians(view, x):
    """Return the Jacobians of a function that is affine in each example, [B, outputs, inputs], from unit images."""
    n = x[0].size
    units = jnp.eye(n).reshape(n, 1, *x.shape[1:])

    def at(unit):
        return (view(x + unit) - view(x)).reshape(len(x), -1)

    return jnp.moveaxis(jax.lax.map(at, units), 0, -1)


@pytest.mark.slow
def test_second_derivatives_of_all_transforms_are_finite():
    w = jnp.asarray(np.random.default_rng(1).normal(size=(240, 4)).astype(np.float32) / 16)

    def penalty(w):
        return losses.r1(lambda x: d(w, augment.ada(KEYS, x, 1.0, EVERYTHING)), IMAGES).mean()

    gradient = jax.jit(jax.grad(penalty))(w)
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0


def test_unknown_transforms_and_unsupported_images_raise():
    with pytest.raises(ValueError, match=r"`transforms` must contain only 'xflip', .*got 'zoom'"):
        augment.ada(KEYS, IMAGES, 0.5, {"zoom": 1.0})
    with pytest.raises(ValueError, match="H and W at least 8, got shape"):
        augment.ada(KEYS, IMAGES[:, :7], 0.5)
    with pytest.raises(ValueError, match=r"Images must have 1 channel .* for augmentations of colours, got 2\."):
        colour.transform(IMAGES[..., :2], *[jnp.zeros(B)] * 5)

"""Compare CycleGAN's generator with the official code. test_pix2pix.py explains the expected numbers."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import official

from jaxgan.models import cyclegan

pytestmark = pytest.mark.integration

DROPOUT = {"dropout": True}
# name: (module, shape of the images, layout of the official weights, output in training, norm of the gradient, output
# at evaluation with running statistics, output at evaluation with the statistics of each image)
CASES = {
    "instance, not square": (cyclegan.Generator(2, 2, 4), (2, 16, 20, 3), {},
        [-0.0031969196, 0.3034775, -0.13205211, 0.21611886, 0.31162591], 1007.6607, None, None),
    "replicate": (cyclegan.Generator(2, 2, 4, padding="replicate"), (2, 16, 16, 3), DROPOUT,
        [-0.064717174, 0.84828031, 0.10392597, 0.22140256, 0.33213854], 1237.4554, None, None),
    "zero, none": (cyclegan.Generator(2, 2, 4, "none", "zero"), (2, 16, 16, 3), {"padding": "zero"},
        [0.010627239, 0.18697111, -0.069530278, 0.10119559, 0.025548028], 53.339622, None, None),
    "batch": (cyclegan.Generator(2, 2, 4, "batch"), (2, 16, 16, 3), DROPOUT,
        [0.15263464, -0.53300267, 0.10660435, 0.27923778, 0.39114312], 861.97319,
        [-0.12397825, 0.012178147, -0.14429535, 0.12589413, 0.040682289],
        [-0.32246473, -0.40492365, 0.055177979, 0.269786, 0.3855802]),
    "batch, zero": (cyclegan.Generator(2, 2, 4, "batch", "zero"), (2, 16, 16, 3), {"padding": "zero", **DROPOUT},
        [0.088032074, -0.1028931, -0.94959903, 0.29156235, 0.38295877], 837.03469,
        [-0.071668409, 0.14425015, -0.17088252, 0.12018584, 0.041978622],
        [-0.096868247, -0.20438379, -0.95310158, 0.28877652, 0.38654906]),
    "6 blocks": (cyclegan.Generator(2, 6, 4), (1, 16, 16, 3), {},
        [0.042396497, -0.25545543, 0.89093339, 0.14044961, 0.28771056], 1631.9053, None, None),
    "9 blocks": (cyclegan.Generator(2, 9, 4), (1, 16, 16, 3), {},
        [0.89792943, -0.77794218, -0.13951199, 0.2918199, 0.31541348], 2005.8885, None, None),
}  # fmt: skip


@pytest.mark.parametrize("name", [pytest.param(x, marks=pytest.mark.slow) if x[0].isdigit() else x for x in CASES])
def test_generator_equals_the_official_code(name):
    module, shape, layout, training, gradient, averages, each = CASES[name]
    x = official.image(*shape)
    variables = official.variables(module, x, **layout)
    y, found = official.trained(module, variables, x)
    assert (y.shape, y.dtype) == ((*shape[:3], 2), jnp.float32)
    official.agrees(y, training)
    assert found == pytest.approx(gradient, rel=1e-4)
    if averages:
        official.agrees(official.at_test(module, variables, x), each)
        official.agrees(official.at_test(module.clone(eval_stats="running"), variables, x), averages)


def test_dropout_depends_only_on_the_key_of_the_example():
    module, x = cyclegan.Generator(2, 1, 2, dropout_rate=0.5), official.image(2, 8, 8, 3)
    variables, keys = official.variables(module, x), jax.random.split(jax.random.key(0), 2)
    call = jax.jit(functools.partial(module.apply, train=True))
    dropped = call(variables, x, keys)
    assert np.abs(call(variables, x) - dropped).max() > 0.01
    np.testing.assert_allclose(call(variables, x[::-1], keys[::-1])[::-1], dropped, atol=1e-6)


def test_nearest_upsampling_has_no_checkerboard_artefacts():
    """For a constant image, the middle of the output is constant. With transposed convolutions it is not."""
    x = np.full((1, 64, 64, 3), 0.5, np.float32)
    spread = {}
    for upsample in ("nearest", "transposed"):
        module = cyclegan.Generator(3, 1, 4, "none", upsample=upsample)
        init, apply = (jax.jit(functools.partial(f, train=False)) for f in (module.init, module.apply))
        # Increase the weights, because the output of the initial network is almost constant.
        params = jax.tree.map(lambda w: 10 * w, init(jax.random.key(0), x))
        y = np.asarray(apply(params, x))
        assert y.shape == x.shape and np.ptp(y, (0, 1, 2)).max() > 0.1
        spread[upsample] = np.ptp(y[0, 24:40, 24:40], (0, 1)).max()
    assert spread["nearest"] < 1e-4 < 1e-1 < spread["transposed"]


@pytest.mark.parametrize(
    ("module", "shape", "message"),
    [
        (
            cyclegan.Generator(),
            (1, 30, 32, 3),
            r"with a height and width divisible by 4 and at least 8, got the shape \(1, 30, 32, 3\)",
        ),
        (cyclegan.Generator(), (1, 4, 8, 3), "Images must be"),
        (
            cyclegan.Generator(padding="same"),
            (1, 8, 8, 3),
            "`padding` must be 'reflect', 'replicate' or 'zero', got 'same'",
        ),
        (
            cyclegan.Generator(upsample="bilinear"),
            (1, 8, 8, 3),
            "`upsample` must be 'transposed' or 'nearest', got 'bilinear'",
        ),
    ],
)
def test_errors(module, shape, message):
    with pytest.raises(ValueError, match=message):
        official.shapes(module, np.zeros(shape, np.float32))

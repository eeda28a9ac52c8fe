"""Compare all forms of the convolutions with XLA's native convolution and with flax's layers, up to higher derivatives.

A form is "cpu" (the function that runs on CPUs) or "native" (XLA's convolution, which runs on accelerators).
"""

import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.nn import convolution, layers
from jaxgan.nn.resampling import blur

# (spatial dimensions, size, kernel, stride)
CASES = [(1, 8, 25, 4), (2, 8, 4, 2), (2, 8, 3, 1), (2, 7, 3, 2), (2, 6, 5, 3), (2, 5, 1, 2), (3, 4, 4, 2)]


def draw_operands(g, r):
    """Return random arrays x, y and w of the shapes of a geometry."""

    def draw(*shape):
        return jnp.array(r.normal(size=shape), jnp.float32)

    return draw(2, *g.large, 3), draw(2, *g.small, 2), draw(*g.kernel, 3, 2)


@pytest.mark.integration
@pytest.mark.parametrize(("n", "size", "kernel", "stride"), CASES)
def test_cpu_form_equals_the_native_form(n, size, kernel, stride):
    g = convolution.same((size,) * n, (kernel,) * n, stride)
    x, y, w = draw_operands(g, np.random.default_rng(0))
    for name, arguments in {"conv": (x, w), "conv_transpose": (y, w), "kernel_gradient": (x, y)}.items():
        on_cpu, native = (getattr(convolution, f"_{name}_{form}") for form in ("cpu", "native"))
        expected = jax.jit(native, static_argnums=0)(g, *arguments)
        found = jax.jit(on_cpu, static_argnums=0)(g, *arguments)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4, err_msg=name)


TRANSPOSED = [((7, 6), 3, 1), ((5, 5), 4, 1), ((9,), 5, 0), ((4, 4, 4), 3, 1)]


@pytest.mark.integration
@pytest.mark.parametrize(("size", "kernel", "padding"), TRANSPOSED)
@pytest.mark.parametrize("channels", [(8, 1), (4, 2), (2, 4)])
def test_im2col_of_the_image_with_fewer_channels(size, kernel, padding, channels):
    g = convolution.padded(size, (kernel,) * len(size), 1, padding)
    r = np.random.default_rng(0)

    def draw(*shape):
        return jnp.array(r.normal(size=shape), jnp.float32)

    x, y, w = draw(2, *g.large, channels[0]), draw(2, *g.small, channels[1]), draw(*g.kernel, *channels)
    for name, arguments in {"conv": (x, w), "conv_transpose": (y, w), "kernel_gradient": (x, y)}.items():
        on_cpu, native = (getattr(convolution, f"_{name}_{form}") for form in ("cpu", "native"))
        found = jax.jit(on_cpu, static_argnums=0)(g, *arguments)
        expected = jax.jit(native, static_argnums=0)(g, *arguments)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4, err_msg=name)


def test_patches_are_taken_from_the_image_with_fewer_channels():
    """With a 7 x 7 kernel, a patch has 147 numbers for 3 channels and 3136 numbers for 64 channels."""
    g = convolution.padded((20, 20), (7, 7), 1, 0)
    x, w = jnp.zeros((1, 20, 20, 64)), jnp.zeros((7, 7, 64, 3))
    gradient = jax.grad(lambda x, w: convolution.conv(g, x, w).sum(), (0, 1))
    text = jax.export.export(jax.jit(gradient), platforms=["cpu"])(x, w).mlir_module()
    assert "x147xf32" in text
    assert "3136xf32" not in text


ERRORS = {"float32": 2e-6, "bfloat16": 1e-2, "float16": 2e-3}  # absolute tolerance divided by the largest output

# name: (size, stride, padding, channels of the large and of the small image, dtype, whether Winograd's form is used)
WINOGRAD = {
    "many channels": ((8, 6), 1, 1, (74, 80), "float32", True),
    "no padding": ((8, 6), 1, 0, (110, 105), "float32", True),
    "16 channels, many pixels": ((36, 36), 1, 1, (16, 33), "float32", True),
    "15 channels, many pixels": ((36, 36), 1, 1, (15, 33), "float32", False),
    "3 channels": ((172, 172), 1, 1, (3, 16), "float32", False),
    "few pixels": ((4, 4), 1, 1, (127, 128), "float32", False),
    "odd side": ((8, 9), 1, 1, (64, 64), "float32", False),
    "bfloat16": ((8, 8), 1, 1, (64, 64), "bfloat16", True),
    "float16": ((8, 8), 1, 1, (64, 64), "float16", False),
    "stride 2": ((16, 16), 2, 1, (64, 64), "float32", False),
}


@pytest.mark.integration
@pytest.mark.parametrize(
    ("size", "stride", "padding", "channels", "dtype", "expected"), WINOGRAD.values(), ids=WINOGRAD.keys()
)
def test_winograd_is_used_for_many_channels(size, stride, padding, channels, dtype, expected):
    g = convolution.padded(size, (3, 3), stride, padding)
    r = np.random.default_rng(0)

    def draw(*shape):
        return jnp.array(r.normal(size=shape), dtype)

    x, y, w = draw(2, *g.large, channels[0]), draw(2, *g.small, channels[1]), draw(3, 3, *channels)
    for name, arguments in {"conv": (x, w), "conv_transpose": (y, w), "kernel_gradient": (x, y)}.items():
        on_cpu, native = (getattr(convolution, f"_{name}_{form}") for form in ("cpu", "native"))
        found, wanted = (jax.jit(f, static_argnums=0)(g, *arguments).astype(jnp.float32) for f in (on_cpu, native))
        np.testing.assert_allclose(found, wanted, rtol=0, atol=ERRORS[dtype] * np.abs(wanted).max(), err_msg=name)
        products = jax.jit(on_cpu, static_argnums=0).lower(g, *arguments).as_text().count("stablehlo.dot_general")
        assert products == (16 if expected else 1)


YNNPACK = "ynn_fusion.*conv_general_dilated"  # matches a convolution that YNNPACK computes in a compiled program


def test_ynnpack_computes_xlas_convolution():
    """The next test requires that a program does not contain YNNPACK. Check that the pattern can find it."""
    x, w = jnp.zeros((2, 32, 32, 8)), jnp.zeros((3, 3, 8, 32))
    native = jax.jit(convolution._conv_native, static_argnums=0)
    assert re.search(YNNPACK, native.lower(convolution.same((32, 32), (3, 3), 1), x, w).compile().as_text())


# name: (geometry, channels, dtype, number of matrix products in the kernel's gradient if XLA's convolution is used for
# the other maps; 0 if XLA's convolution is not used)
FEW = {
    "few channels": (convolution.same((32, 32), (3, 3), 1), (8, 32), "float32", 1),
    "no padding": (convolution.padded((34, 36), (3, 3), 1, 0), (32, 8), "float32", 1),
    "5 x 2 kernel": (convolution.same((32, 32), (5, 2), 1), (9, 8), "float32", 1),
    "blurred": (convolution.blurred((64, 64), (3, 3)), (8, 8), "float32", 2),
    "17 channels, gradient by Winograd": (convolution.same((32, 32), (3, 3), 1), (17, 32), "float32", 16),
    "7 channels": (convolution.same((32, 32), (3, 3), 1), (7, 8), "float32", 0),
    "33 channels": (convolution.same((32, 32), (3, 3), 1), (8, 33), "float32", 0),
    "fewer pixels": (convolution.same((32, 31), (3, 3), 1), (8, 8), "float32", 0),
    "1 x 1 kernel": (convolution.same((32, 32), (1, 1), 1), (8, 8), "float32", 0),
    "stride 2": (convolution.same((64, 64), (3, 3), 2), (8, 8), "float32", 0),
    "bfloat16": (convolution.same((32, 32), (3, 3), 1), (8, 8), "bfloat16", 0),
    "3D": (convolution.same((16, 8, 8), (3, 3, 3), 1), (8, 8), "float32", 0),
}


@pytest.mark.integration
@pytest.mark.parametrize(("g", "channels", "dtype", "expected"), FEW.values(), ids=FEW.keys())
def test_xlas_convolution_is_used_for_few_channels_of_large_images(g, channels, dtype, expected):
    """``conv`` and ``conv_transpose`` use XLA's convolution, and YNNPACK does not compute it."""
    r = np.random.default_rng(0)

    def draw(*shape):
        return jnp.array(r.normal(size=shape), dtype)

    x, y, w = draw(2, *g.large, channels[0]), draw(2, *g.small, channels[1]), draw(*g.kernel, *channels)
    for name, arguments in {"conv": (x, w), "conv_transpose": (y, w), "kernel_gradient": (x, y)}.items():
        on_cpu, native = (getattr(convolution, f"_{name}_{form}") for form in ("cpu", "native"))
        found, wanted = (jax.jit(f, static_argnums=0)(g, *arguments).astype(jnp.float32) for f in (on_cpu, native))
        np.testing.assert_allclose(found, wanted, rtol=0, atol=ERRORS[dtype] * np.abs(wanted).max(), err_msg=name)
        lowered = jax.jit(on_cpu, static_argnums=0).lower(g, *arguments)
        assert lowered.as_text().count("stablehlo.convolution") == (1 if expected and name != "kernel_gradient" else 0)
        if expected and name == "kernel_gradient":
            assert lowered.as_text().count("stablehlo.dot_general") == expected
        assert not expected or not re.search(YNNPACK, lowered.compile().as_text())


SECOND = {  # name: (geometry, channels)
    "many channels": (convolution.padded((8, 10), (3, 3), 1, 1), 64),
    "many channels, blurred": (convolution.blurred((64, 64), (3, 3)), 64),
    "few channels": (convolution.same((32, 32), (3, 3), 1), 8),
    "few channels, blurred": (convolution.blurred((64, 64), (3, 3)), 8),
}


@pytest.mark.integration
@pytest.mark.parametrize(("g", "channels"), SECOND.values(), ids=SECOND.keys())
def test_second_derivatives_equal_the_native_form(g, channels):
    r = np.random.default_rng(0)
    shapes = (1, *g.large, channels), (3, 3, channels, channels)
    x, w = (jnp.array(r.normal(size=shape), jnp.float32) for shape in shapes)

    def r1(form):
        return lambda w: jnp.square(jax.grad(lambda x: jnp.tanh(form(g, x, w) / 24).sum())(x)).sum()

    found, expected = (jax.jit(jax.grad(r1(form)))(w) for form in (convolution.conv, convolution._conv_native))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * float(jnp.abs(expected).max()))


# name: (size of the large image, kernel size, channels of both images, dtype, number of matrix products). With
# space-to-depth there are 17 matrix products: 16 for Winograd, and one that composes the kernel with the filter.
BLURRED = {
    "small": ((8, 6), 3, (32, 33), "float32", 1),
    "small, 5 x 5 kernel": ((8, 6), 5, (3, 4), "float32", 1),
    "large": ((64, 64), 3, (32, 33), "float32", 17),
    "large, bfloat16": ((64, 64), 3, (32, 33), "bfloat16", 17),
    "large, few channels": ((64, 64), 3, (1, 15), "float32", 1),
    "large, 5 x 5 kernel": ((64, 64), 5, (8, 8), "float32", 1),
    "large, odd half": ((66, 64), 3, (32, 33), "float32", 1),
}


@pytest.mark.integration
@pytest.mark.parametrize(("size", "kernel", "channels", "dtype", "products"), BLURRED.values(), ids=BLURRED.keys())
def test_blurred_equals_a_filter_and_a_convolution(size, kernel, channels, dtype, products):
    """All forms of the three maps equal XLA's convolution of the blurred image and its derivatives."""
    g = convolution.blurred(size, (kernel, kernel))
    r = np.random.default_rng(0)

    def draw(*shape):
        return jnp.array(r.normal(size=shape), dtype)

    x, y, w = draw(1, *size, channels[0]), draw(1, *g.small, channels[1]), draw(kernel, kernel, *channels)

    def conv_of_blurred(x, w):
        numbers = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(blur(x, kernel // 2 + 1), w, (2, 2), "VALID", dimension_numbers=numbers)

    exact = [v.astype(jnp.float32) for v in (x, y, w)]
    wanted, back = jax.jit(lambda x, w: jax.vjp(conv_of_blurred, x, w))(exact[0], exact[2])
    wanted = {"conv": wanted, **dict(zip(("conv_transpose", "kernel_gradient"), jax.jit(back)(exact[1])))}
    for name, arguments in {"conv": (x, w), "conv_transpose": (y, w), "kernel_gradient": (x, y)}.items():
        for form in ("cpu", "native"):
            f = jax.jit(getattr(convolution, f"_{name}_{form}"), static_argnums=0)
            error = ERRORS[dtype] * float(jnp.abs(wanted[name]).max())
            given = f(g, *arguments).astype(jnp.float32)
            np.testing.assert_allclose(given, wanted[name], rtol=0, atol=error, err_msg=f"{name} {form}")
            found = f.lower(g, *arguments).as_text().count("stablehlo.dot_general")
            assert found == (products if form == "cpu" else 0)


def test_blurred_supports_symbolic_sizes():
    space = jax.export.symbolic_shape("h, w")
    x = jax.ShapeDtypeStruct((1, *(4 * n for n in space), 32), jnp.float32)
    w = jnp.ones((3, 3, 32, 32))
    exported = jax.export.export(jax.jit(lambda x: convolution.conv(convolution.blurred(x.shape[1:3], (3, 3)), x, w)))(
        x
    )
    x = jax.random.normal(jax.random.key(0), (1, 8, 4, 32))
    expected = convolution._conv_native(convolution.blurred((8, 4), (3, 3)), x, w)
    np.testing.assert_allclose(exported.call(x), expected, rtol=1e-4, atol=1e-4)


def test_blurred_requires_a_square_kernel_with_odd_sides():
    with pytest.raises(ValueError, match=r"`kernel` must be square with odd sides, got \(3, 5\)"):
        convolution.blurred((8, 8), (3, 5))


def test_same_equals_tensorflows_padding():
    """An odd padding has one more pixel at the high side.

    See https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2.
    """
    geometry = convolution.Geometry(stride=2, kernel=(4, 3), large=(8, 7), small=(4, 4), padding=((1, 1), (1, 1)))
    assert convolution.same((8, 7), (4, 3), 2) == geometry
    assert convolution.same((5,), (2,), 1) == convolution.Geometry(1, (2,), (5,), (5,), ((0, 1),))
    assert convolution.same((5,), (1,), 2) == convolution.Geometry(2, (1,), (5,), (3,), ((0, 0),))


def test_padded_equals_pytorchs_padding():
    """See https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html, section "Shape"."""
    assert convolution.padded((9, 8), (4, 4), 2, 1).small == (4, 4)
    assert convolution.padded((9, 8), (4, 4), 1, 1).small == (8, 7)
    assert convolution.padded((8, 7), (3, 3), 2, 1).small == (4, 4)
    for size, kernel, stride, padding in ((9, 4, 2, 1), (9, 4, 1, 1), (8, 3, 2, 1), (7, 1, 3, 0)):
        g = convolution.padded((size,), (kernel,), stride, padding)
        assert g.padding[0][0] == padding
        assert stride * (g.small[0] - 1) + kernel == size + sum(g.padding[0])
    with pytest.raises(
        ValueError, match=r"an image of \(1, 9\) with a padding of 1 on each side and a kernel of \(4, 4\)"
    ):
        convolution.padded((1, 9), (4, 4), 2, 1)


def test_the_three_maps_are_one_trilinear_form():
    g = convolution.same((8, 8), (4, 4), 2)
    x, y, w = draw_operands(g, np.random.default_rng(0))
    forms = [
        jnp.vdot(convolution.conv(g, x, w), y),
        jnp.vdot(convolution.conv_transpose(g, y, w), x),
        jnp.vdot(convolution.kernel_gradient(g, x, y), w),
    ]
    np.testing.assert_allclose(forms, forms[0], rtol=1e-5)


LAYERS = {
    "conv": (layers.Conv(3, 4, 2), nn.Conv(3, (4, 4), 2, padding="SAME")),
    "conv, stride 1": (layers.Conv(3, 3), nn.Conv(3, (3, 3), padding="SAME")),
    "transposed": (layers.ConvTranspose(3), nn.ConvTranspose(3, (4, 4), (2, 2), padding="SAME", transpose_kernel=True)),
}


@pytest.mark.integration
@pytest.mark.parametrize(("ours", "flaxs"), LAYERS.values(), ids=LAYERS.keys())
def test_layers_equal_flaxs_layers_up_to_the_second_derivative(ours, flaxs):
    x = jnp.array(np.random.default_rng(0).normal(size=(2, 8, 8, 2)), jnp.float32)
    variables = flaxs.init(jax.random.key(0), x)
    assert jax.tree.map(jnp.shape, ours.init(jax.random.key(0), x)) == jax.tree.map(jnp.shape, variables)

    def derivatives(layer):
        def value(v, x):
            return jnp.tanh(layer.apply(v, x)).sum()

        def squared_gradient(v, x):  # like R1, a function of the gradient
            return jnp.square(jax.grad(value, 1)(v, x)).sum()

        return (
            layer.apply(variables, x),
            jax.grad(value, (0, 1))(variables, x),
            jax.grad(squared_gradient, (0, 1))(variables, x),
        )

    found, expected = (jax.jit(lambda layer=layer: derivatives(layer))() for layer in (ours, flaxs))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-4), found, expected)


def test_third_derivatives_equal_the_native_form():
    g = convolution.same((4, 4), (4, 4), 2)
    x, _, w = draw_operands(g, np.random.default_rng(0))

    def second(form):
        def squared_gradient(w):
            return jnp.square(jax.grad(lambda x: jnp.sum(jnp.sin(form(g, x, w))))(x)).sum()

        return jax.jit(jax.grad(lambda w: jnp.sin(jax.grad(squared_gradient)(w)).sum()))(w)

    found, expected = second(convolution.conv), second(convolution._conv_native)
    assert float(jnp.linalg.norm(found - expected)) < 1e-3 * float(jnp.linalg.norm(expected))


POPULATION = {"im2col": ((8, 8), (4, 4), 2, 3, 2), "native": ((32, 32), (3, 3), 1, 8, 17)}


@pytest.mark.parametrize(("size", "kernel", "stride", "c", "d"), POPULATION.values(), ids=POPULATION.keys())
def test_vmap_over_a_population_of_kernels(size, kernel, stride, c, d):
    g = convolution.same(size, kernel, stride)
    r = np.random.default_rng(0)
    x, w = (jnp.array(r.normal(size=shape), jnp.float32) for shape in ((2, *size, c), (*kernel, c, d)))
    population = jnp.stack([w, 2 * w])
    together = jax.vmap(convolution.conv, (None, None, 0))(g, x, population)
    expected = 2 * convolution.conv(g, x, w)
    # Sums that nearly cancel have the absolute errors of their terms, so the tolerance depends on the largest value.
    np.testing.assert_allclose(together[1], expected, rtol=0, atol=2e-7 * float(jnp.abs(expected).max()))


def test_accelerators_use_the_native_convolution():
    """The StableHLO program for CPUs contains no convolution, and those for accelerators no matrix product."""
    g = convolution.same((8, 8), (4, 4), 2)
    x, _, w = draw_operands(g, np.random.default_rng(0))
    loss = jax.jit(lambda x, w: jnp.square(jax.grad(lambda x: convolution.conv(g, x, w).sum())(x)).sum())

    def text(platform):
        return jax.export.export(loss, platforms=[platform])(x, w).mlir_module()

    assert "stablehlo.convolution" not in text("cpu")
    assert "stablehlo.dot_general" in text("cpu")
    for accelerator in ("cuda", "tpu"):
        assert "stablehlo.convolution" in text(accelerator)
        assert "stablehlo.dot_general" not in text(accelerator)

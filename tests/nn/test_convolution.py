"""Compare all forms of the convolutions with XLA's native convolution and with flax's layers, up to higher derivatives.

A form is an implementation for CPUs; ``jaxgan.nn.convolution.forms`` lists them. Accelerators use XLA's convolution.
"""

import re
from unittest import mock

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.nn import convolution, layers
from jaxgan.nn.convolution import blurred, causal, choice, forms, geometry, im2col, native, padded, same
from jaxgan.nn.convolution.products import accumulator
from jaxgan.nn.convolution.winograd import Transforms, suits, transforms
from jaxgan.nn.resampling import blur

MAPS = ("conv", "conv_transpose", "kernel_gradient")
ERRORS = {"float32": 4e-6, "bfloat16": 1e-2, "float16": 2e-3}  # absolute tolerance divided by the largest output
FLOAT32 = jnp.dtype("float32")

GEOMETRIES = {
    "1D, 25 pixels, stride 4": same((8,), (25,), 4),
    "1D, 2 pixels": same((9,), (2,), 1),
    "1D, 5 pixels, no padding": padded((9,), (5,), 1, 0),
    "4 x 4, stride 2": same((8, 8), (4, 4), 2),
    "4 x 4, stride 2, odd side": padded((9, 8), (4, 4), 2, 1),
    "3 x 3": same((8, 8), (3, 3), 1),
    "3 x 3, odd side": padded((7, 6), (3, 3), 1, 1),
    "3 x 3, no padding": padded((8, 6), (3, 3), 1, 0),
    "3 x 3, stride 2": same((7, 7), (3, 3), 2),
    "5 x 5, stride 3": same((6, 6), (5, 5), 3),
    "5 x 2": same((8, 8), (5, 2), 1),
    "1 x 1, stride 2": same((5, 5), (1, 1), 2),
    "4 x 4 x 4, stride 2": same((4, 4, 6), (4, 4, 4), 2),
    "3 x 3, blurred": blurred((8, 6), (3, 3)),
    "5 x 5, blurred": blurred((8, 8), (5, 5)),
    "1D, 3 pixels, dilation 4, causal": causal((9,), (3,), 1, 4),
    "1D, 2 pixels, stride 2, dilation 3, causal": causal((9,), (2,), 2, 3),
    "3 x 3, dilation 2": same((7, 6), (3, 3), 1, 2),
    "4 x 2, stride 2, dilation 2": padded((8, 7), (4, 2), 2, 1, 2),
}


def draw_operands(g, channels=(3, 2), dtype="float32", batch=2):
    """Return random arrays x, y and w of the shapes of a geometry."""
    r = np.random.default_rng(0)

    def draw(*shape):
        return jnp.array(r.normal(size=shape), dtype)

    return draw(batch, *g.large, channels[0]), draw(batch, *g.small, channels[1]), draw(*g.kernel, *channels)


def arguments(name, operands):
    """Return the arguments of a map, of the three arrays x, y and w."""
    x, y, w = operands
    return {"conv": (x, w), "conv_transpose": (y, w), "kernel_gradient": (x, y)}[name]


def assert_close(found, expected, dtype, message=""):
    expected = np.asarray(expected, np.float32)
    tolerance = ERRORS[dtype] * np.abs(expected).max()
    np.testing.assert_allclose(np.asarray(found, np.float32), expected, rtol=0, atol=tolerance, err_msg=message)


FEW_GEOMETRIES = ("3 x 3", "4 x 4, stride 2", "3 x 3, blurred")
CASES = [(name, "float32") for name in GEOMETRIES] + [(name, "bfloat16") for name in FEW_GEOMETRIES]


@pytest.mark.integration
@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize(("case", "dtype"), CASES)
def test_every_form_equals_the_native_form(case, name, dtype):
    g = GEOMETRIES[case]
    operands = arguments(name, draw_operands(g, dtype=dtype))
    names = [form for form in forms.names(g, jnp.dtype(dtype)) if name == "kernel_gradient" or "swapped" not in form]
    compute = jax.jit(lambda *arrays: {form: getattr(forms.create(form), name)(g, *arrays) for form in names})
    exact = (x.astype(jnp.float32) for x in operands)
    expected = jax.jit(getattr(native, name), static_argnums=0)(g, *exact)
    for form, found in compute(*operands).items():
        assert found.dtype == dtype
        assert_close(found, expected, dtype, form)


def test_the_geometries_cover_all_forms():
    assert {form for g in GEOMETRIES.values() for form in forms.names(g, FLOAT32)} >= {
        *("im2col", "im2col swapped", "winograd 2", "winograd 3", "native", "exchanged winograd 3", "cells im2col"),
        *("cells winograd 3 swapped", "filter im2col", "filter cells winograd 2", "composed cells winograd 2 swapped"),
        "dilated",
    }
    assert "winograd 2" not in forms.names(GEOMETRIES["3 x 3"], jnp.dtype("float16"))  # its sums could overflow


def test_geometries_of_the_same_map():
    """The equation of ``Geometry`` holds, and the other shapes are unchanged."""
    g = same((8, 8), (4, 4), 2)
    assert geometry.cells(g) == convolution.Geometry(1, (2, 2), (5, 5), (4, 4), ((0, 0), (0, 0)))
    assert geometry.cell_padding(g) == [(1, 1), (1, 1)]
    assert geometry.cell_padding(same((8,), (3,), 2)) == [(0, 2)]
    g = padded((7, 6), (4, 4), 1, 1)
    assert geometry.exchanged(geometry.exchanged(g)) == g
    assert geometry.exchanged(g).padding == ((2, 2), (2, 2)) and geometry.exchanged(g).large == g.small == (6, 5)
    g = blurred((8, 6), (3, 3))
    assert geometry.composed(g) == convolution.Geometry(2, (6, 6), (8, 6), (4, 3), ((2, 2), (2, 2)))
    assert geometry.after_blur(g) == convolution.Geometry(2, (3, 3), (9, 7), (4, 3), ((0, 0), (0, 0)))
    assert geometry.blur_large(g, jnp.ones((1, 8, 6, 1))).shape == (1, 9, 7, 1)
    assert geometry.blur_large(g, jnp.ones((1, 9, 7, 1)), transpose=True).shape == (1, 8, 6, 1)


@pytest.mark.parametrize("case", GEOMETRIES)
def test_the_equation_of_a_geometry(case):
    """It is stated in the docstring of ``Geometry``."""
    g = GEOMETRIES[case]
    for n, m, k, (low, high) in zip(g.large, g.small, g.kernel, g.padding, strict=True):
        assert g.stride * (m - 1) + g.dilation * (k - 1) + 1 == n + low + high - (3 if g.blur else 0)


def test_winograd_suits_kernels_of_known_equal_sides():
    assert suits(same((8, 8), (3, 3), 1), 2, FLOAT32) and suits(same((8,), (2,), 1), 3, FLOAT32)
    assert not suits(same((8, 8), (3, 3), 1), 3, FLOAT32)  # five multiplications per dimension
    assert not suits(same((8, 8), (3, 2), 1), 2, FLOAT32)
    assert not suits(same((8, 8), (3, 3), 2), 2, FLOAT32)
    assert isinstance(transforms(2, 3), Transforms)


DERIVATIVES = {  # geometry, and the forms of which the derivatives are compared
    "3 x 3": (same((6, 6), (3, 3), 1), ["im2col", "exchanged winograd 2 swapped", "winograd 2", "native"]),
    "4 x 4, stride 2": (same((8, 8), (4, 4), 2), ["cells winograd 2", "cells winograd 3 swapped", "im2col swapped"]),
    "4 x 4 x 4, stride 2": (same((4, 4, 4), (4, 4, 4), 2), ["cells winograd 2 swapped"]),
    "1D, 4 pixels, stride 2": (same((8,), (4,), 2), ["cells winograd 2"]),
    "3 x 3, blurred": (
        blurred((8, 8), (3, 3)),
        ["composed cells winograd 2", "filter im2col", "composed cells native"],
    ),
    "1D, causal, dilation 2": (causal((7,), (3,), 1, 2), ["dilated"]),
    "1D, causal, stride 2, dilation 2": (causal((7,), (3,), 2, 2), ["dilated"]),
}


@pytest.mark.integration
@pytest.mark.parametrize(("g", "names"), DERIVATIVES.values(), ids=DERIVATIVES.keys())
def test_first_and_second_derivatives_equal_the_native_form(g, names):
    x, _, w = draw_operands(g)

    def derivatives(conv):
        def value(x, w):
            return jnp.tanh(conv(g, x, w) / 4).sum()

        def squared_gradient(x, w):  # like R1, a function of the gradient
            return jnp.square(jax.grad(value)(x, w)).sum()

        return jax.jit(lambda x, w: (jax.grad(value, (0, 1))(x, w), jax.grad(squared_gradient, (0, 1))(x, w)))(x, w)

    expected = derivatives(native.conv)
    for form in names:
        with mock.patch.object(choice, "choose_form", lambda *_, form=form: form):
            found = derivatives(convolution.conv)
        jax.tree.map(lambda a, b, form=form: assert_close(a, b, "float32", form), found, expected)


@pytest.mark.parametrize(("m", "r"), [(2, 2), (3, 2), (2, 3)])
def test_the_transforms_compute_a_convolution(m, r):
    """Compare with a direct sum in float64."""
    image, kernel, output = (np.array(weights) for weights in transforms(m, r))
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=m + r - 1), rng.normal(size=r)
    expected = [sum(w[j] * x[i + j] for j in range(r)) for i in range(m)]
    np.testing.assert_allclose(output.T @ ((kernel @ w) * (image @ x)), expected, rtol=1e-12)


def test_the_transforms_of_winograd_are_those_of_the_paper_up_to_signs():
    """Lavin and Gray 2016, equation (8): B^T of F(2, 3)."""
    paper = [(1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)]
    for row, expected in zip(transforms(2, 3).image, paper):
        assert tuple(row) in (tuple(expected), tuple(-x for x in expected))


# ---- the choice of the form ----

TABLE = {
    "conv 3x3 stride 1 float32": [(16, 16, 8.0, "winograd 2"), (64, 64, 8.0, "exchanged im2col")],
    "conv 4x4 stride 2 float32": [(16, 16, 8.0, "cells winograd 3")],
    "conv 3x3 stride 1 bfloat16": [(16, 16, 8.0, "native"), (16, 32, 8.0, "exchanged winograd 2")],
}
CHOICES = {  # geometry, channels, dtype, the expected form
    "measured": (same((8, 8), (3, 3), 1), (16, 16), "float32", "winograd 2"),
    "nearest": (same((8, 8), (3, 3), 1), (24, 28), "float32", "winograd 2"),
    "nearest of another row": (same((8, 8), (3, 3), 1), (40, 48), "float32", "exchanged im2col"),
    "factor 2": (same((16, 16), (3, 3), 1), (32, 8), "float32", "winograd 2"),
    "more channels": (same((8, 8), (3, 3), 1), (129, 64), "float32", "exchanged im2col"),
    "larger image": (same((17, 17), (3, 3), 1), (16, 16), "float32", "im2col"),
    "other kernel": (same((8, 8), (5, 5), 1), (16, 16), "float32", "im2col"),
    "other kernel, fewer channels of the small image": (
        same((8, 8), (5, 5), 1),
        (16, 8),
        "float32",
        "exchanged im2col",
    ),
    "other stride": (same((16, 16), (3, 3), 2), (16, 16), "float32", "im2col"),
    "stride 2": (same((16, 16), (4, 4), 2), (16, 16), "float32", "cells winograd 3"),
    "blurred": (blurred((16, 16), (3, 3)), (16, 16), "float32", "filter im2col"),
    "dilated": (same((8, 8), (3, 3), 1, 2), (16, 16), "float32", "dilated"),
    "causal": (causal((8, 8), (3, 3), 1), (16, 16), "float32", "winograd 2"),
    "the form does not suit": (same((8, 8), (3, 3), 1), (16, 16), "float16", "im2col"),
    "other dtype": (same((8, 8), (3, 3), 1), (16, 16), "bfloat16", "exchanged winograd 2"),
    "not measured in bfloat16": (same((16, 16), (4, 4), 2), (16, 16), "bfloat16", "cells winograd 3"),
}


@pytest.fixture
def table(monkeypatch):
    monkeypatch.setattr(choice, "FASTEST", TABLE)
    choice.choose_form.cache_clear()
    yield
    choice.choose_form.cache_clear()


@pytest.mark.parametrize(("g", "channels", "dtype", "expected"), CHOICES.values(), ids=CHOICES.keys())
def test_the_form_of_the_most_similar_convolution_is_used(table, g, channels, dtype, expected):
    assert choice.choose_form("conv", g, *channels, jnp.dtype(dtype)) == expected


def test_the_form_does_not_depend_on_the_batch_size():
    """The number of images per device differs with the number of devices."""
    g = same((16, 16), (4, 4), 2)
    programs = set()
    for batch in (1, 4, 64):
        x, w = jnp.zeros((batch, 16, 16, 64)), jnp.zeros((4, 4, 64, 128))
        gradient = jax.jit(
            lambda x, w: jax.grad(lambda x, w: jnp.square(convolution.conv(g, x, w)).sum(), (0, 1))(x, w)
        )
        text = jax.export.export(gradient, platforms=["cpu"])(x, w).mlir_module()
        programs.add(tuple(re.findall(r"stablehlo\.(\w+)", text)))
    assert len(programs) == 1 and "dot_general" in programs.pop()


def test_few_channels_do_not_use_the_rows_of_many_channels(table):
    g = same((8, 8), (3, 3), 1)
    assert choice.choose_form("conv", g, 3, 16, FLOAT32) == choice.default_form(g, 3, 16) == "im2col"


def test_patches_are_taken_from_the_image_with_fewer_channels(table):
    """With a 7 x 7 kernel, a patch has 147 numbers for 3 channels and 3136 numbers for 64 channels."""
    g = padded((20, 20), (7, 7), 1, 0)
    x, w = jnp.zeros((1, 20, 20, 64)), jnp.zeros((7, 7, 64, 3))
    gradient = jax.grad(lambda x, w: convolution.conv(g, x, w).sum(), (0, 1))
    text = jax.export.export(jax.jit(gradient), platforms=["cpu"])(x, w).mlir_module()
    assert "x147xf32" in text
    assert "3136xf32" not in text


PRODUCTS = {  # form: (geometry, number of matrix products)
    "winograd 2": (same((8, 8), (3, 3), 1), 16),
    "cells winograd 2": (same((8, 8), (4, 4), 2), 9),
    "cells winograd 3": (same((8, 8), (4, 4), 2), 16),
    "composed cells winograd 2": (blurred((8, 8), (3, 3)), 17),  # one composes the kernel with the filter
    "im2col": (same((8, 8), (4, 4), 2), 1),
}


@pytest.mark.parametrize(
    ("form", "g", "count"), [(name, *rest) for name, rest in PRODUCTS.items()], ids=PRODUCTS.keys()
)
@pytest.mark.parametrize("name", MAPS)
def test_number_of_matrix_products(form, g, count, name):
    f = getattr(forms.create(form), name)
    text = jax.jit(f, static_argnums=0).lower(g, *arguments(name, draw_operands(g))).as_text()
    assert text.count("stablehlo.dot_general") == count


@pytest.mark.parametrize("form", ["im2col", "im2col swapped", "cells winograd 2", "cells winograd 2 swapped"])
@pytest.mark.parametrize("name", MAPS)
def test_products_of_bfloat16_are_summed_in_float32(form, name):
    g = same((8, 8), (4, 4), 2)
    f = jax.jit(getattr(forms.create(form), name), static_argnums=0)
    text = f.lower(g, *arguments(name, draw_operands(g, dtype="bfloat16"))).as_text()
    types = re.findall(r"stablehlo\.dot_general.*: \((.*), (.*)\) -> (.*)", text)
    assert types and all("bf16" in a and "bf16" in b and "f32" in out for a, b, out in types)


def test_products_are_summed_in_at_least_float32():
    assert [accumulator(jnp.dtype(name)) for name in ("bfloat16", "float16", "float32", "float64")] == [
        *(FLOAT32, FLOAT32, FLOAT32, jnp.dtype("float64"))
    ]


def test_swapped_computes_the_transpose_of_the_kernel_gradient():
    g = same((8, 8), (4, 4), 2)
    x, y, _ = draw_operands(g)
    assert isinstance(forms.create("im2col swapped"), forms.Form)
    for form, shape in (("im2col", "48x2"), ("im2col swapped", "2x48")):
        compiled = jax.jit(forms.create(form).kernel_gradient, static_argnums=0).lower(g, x, y).as_text()
        assert re.search(rf"stablehlo\.dot_general.*-> tensor<{shape}xf32>", compiled)


# ---- XLA's convolution on CPUs ----

YNNPACK = "ynn_fusion.*conv_general_dilated"  # matches a convolution that YNNPACK computes in a compiled program


def test_ynnpack_computes_xlas_convolution():
    """The next test requires that a program does not contain YNNPACK. Check that the pattern can find it."""
    x, w = jnp.zeros((2, 32, 32, 8)), jnp.zeros((3, 3, 8, 32))
    compute = jax.jit(native.conv, static_argnums=0)
    assert re.search(YNNPACK, compute.lower(same((32, 32), (3, 3), 1), x, w).compile().as_text())


@pytest.mark.integration
@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("channels", [(8, 32), (32, 8), (9, 8)])
def test_the_native_form_does_not_use_ynnpack(name, channels):
    assert forms.create("native").kernel_gradient is im2col.kernel_gradient_by_rows
    assert forms.create("native").conv is native.conv_by_eigen
    for g in (same((32, 32), (3, 3), 1), padded((34, 36), (3, 3), 1, 0), same((32, 32), (5, 2), 1)):
        operands = arguments(name, draw_operands(g, channels))
        lowered = jax.jit(getattr(forms.create("native"), name), static_argnums=0).lower(g, *operands)
        assert lowered.as_text().count("stablehlo.convolution") == (name != "kernel_gradient")
        assert not re.search(YNNPACK, lowered.compile().as_text())


@pytest.mark.integration
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("size", [(8, 6), (12, 8)])
def test_blurred_equals_a_filter_and_a_convolution(size, kernel):
    """The native form of the three maps equals XLA's convolution of the blurred image and its derivatives."""
    g = blurred(size, (kernel, kernel))
    x, y, w = draw_operands(g)

    def conv_of_blurred(x, w):
        numbers = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(blur(x, kernel // 2 + 1), w, (2, 2), "VALID", dimension_numbers=numbers)

    wanted, back = jax.jit(lambda x, w: jax.vjp(conv_of_blurred, x, w))(x, w)
    wanted = {"conv": wanted, **dict(zip(("conv_transpose", "kernel_gradient"), jax.jit(back)(y)))}
    for name in MAPS:
        found = jax.jit(getattr(native, name), static_argnums=0)(g, *arguments(name, (x, y, w)))
        assert_close(found, wanted[name], "float32", name)


@pytest.mark.parametrize("kernel", [3, 4])
def test_sizes_can_be_symbolic(kernel):
    """Forms that need the sizes are not used."""
    height, width = jax.export.symbolic_shape("h, w")
    x = jax.ShapeDtypeStruct((1, 4 * height, 4 * width, 32), jnp.float32)
    w = jnp.ones((kernel, kernel, 32, 32))

    def make(size):
        return blurred(size, (3, 3)) if kernel == 3 else same(size, (4, 4), 2)

    exported = jax.export.export(jax.jit(lambda x: convolution.conv(make(x.shape[1:3]), x, w)))(x)
    x = jax.random.normal(jax.random.key(0), (1, 8, 4, 32))
    assert_close(exported.call(x), native.conv(make((8, 4)), x, w), "float32")


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
    x, y, w = draw_operands(g)
    values = [
        jnp.vdot(convolution.conv(g, x, w), y),
        jnp.vdot(convolution.conv_transpose(g, y, w), x),
        jnp.vdot(convolution.kernel_gradient(g, x, y), w),
    ]
    np.testing.assert_allclose(values, values[0], rtol=1e-5)


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
    x, _, w = draw_operands(g)

    def second(form):
        def squared_gradient(w):
            return jnp.square(jax.grad(lambda x: jnp.sum(jnp.sin(form(g, x, w))))(x)).sum()

        return jax.jit(jax.grad(lambda w: jnp.sin(jax.grad(squared_gradient)(w)).sum()))(w)

    found, expected = second(convolution.conv), second(native.conv)
    assert float(jnp.linalg.norm(found - expected)) < 1e-3 * float(jnp.linalg.norm(expected))


POPULATION = {"im2col": ((8, 8), (4, 4), 2), "native": ((32, 32), (3, 3), 1), "cells winograd 2": ((8, 8), (4, 4), 2)}


@pytest.mark.parametrize("form", POPULATION)
def test_vmap_over_a_population_of_kernels(form, monkeypatch):
    g = convolution.same(*POPULATION[form])
    monkeypatch.setattr(choice, "choose_form", lambda *_: form)
    x, _, w = draw_operands(g, (8, 17))
    together = jax.vmap(convolution.conv, (None, None, 0))(g, x, jnp.stack([w, 2 * w]))
    expected = 2 * convolution.conv(g, x, w)
    # Sums that nearly cancel have the absolute errors of their terms, so the tolerance depends on the largest value.
    np.testing.assert_allclose(together[1], expected, rtol=0, atol=3e-7 * float(jnp.abs(expected).max()))


def test_accelerators_use_the_native_convolution():
    """The StableHLO program for CPUs contains no convolution, and those for accelerators no matrix product."""
    g = convolution.same((8, 8), (4, 4), 2)
    x, _, w = draw_operands(g)
    loss = jax.jit(lambda x, w: jnp.square(jax.grad(lambda x: convolution.conv(g, x, w).sum())(x)).sum())

    def text(platform):
        return jax.export.export(loss, platforms=[platform])(x, w).mlir_module()

    assert "stablehlo.convolution" not in text("cpu")
    assert "stablehlo.dot_general" in text("cpu")
    for accelerator in ("cuda", "tpu"):
        assert "stablehlo.convolution" in text(accelerator)
        assert "stablehlo.dot_general" not in text(accelerator)

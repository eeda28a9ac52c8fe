"""Tests of the benchmarks of the convolutions: the forms of a training step, and the table of the fastest forms."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.benchmarks import convolution as benchmark, forms as table
from jaxgan.nn import convolution
from jaxgan.nn.convolution import choice, forms, measured


@pytest.mark.integration
@pytest.mark.parametrize("form", benchmark.FORMS)
def test_a_form_computes_the_same_function(form):
    g = convolution.same((8, 8), (4, 4), 2)
    r = np.random.default_rng(0)
    x, y, w = (jnp.array(r.normal(size=s), jnp.float32) for s in ((16, 8, 8, 3), (16, 4, 4, 2), (4, 4, 3, 2)))

    def values_and_gradients(x, y, w):
        def conv(x, w):
            return jnp.sum(jnp.sin(convolution.conv(g, x, w)))

        def conv_transpose(y, w):
            return jnp.sum(jnp.sin(convolution.conv_transpose(g, y, w)))

        return convolution.conv(g, x, w), jax.grad(conv, (0, 1))(x, w), jax.grad(conv_transpose, (0, 1))(y, w)

    expected = jax.jit(lambda *a: values_and_gradients(*a))(x, y, w)
    with benchmark.use(form):
        got = jax.jit(lambda *a: values_and_gradients(*a))(x, y, w)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), got, expected)


def test_the_form_im2col_does_not_use_the_table():
    g = convolution.same((16, 16), (3, 3), 1)
    usual = choice.choose_form("conv", g, 64, 64, jnp.dtype("float32"))
    with benchmark.use("im2col"):
        assert choice.choose_form("conv", g, 64, 64, jnp.dtype("float32")) == "im2col"
    assert choice.choose_form("conv", g, 64, 64, jnp.dtype("float32")) == usual != "im2col"


def test_every_row_of_the_table_names_a_form_of_its_convolution():
    kinds = {}
    for case in [*table._cases("float32", table.CONVOLUTIONS), *table._cases("bfloat16", table.CONVOLUTIONS)]:
        kinds[choice.kind(case.map, case.geometry(), jnp.dtype(case.dtype))] = case
    assert measured.FASTEST.keys() <= kinds.keys()
    for kind, rows in measured.FASTEST.items():
        for channels, small_channels, side, form in rows:
            case = kinds[kind]._replace(channels=channels, small_channels=small_channels, side=int(side))
            assert form in forms.names(case.geometry(), jnp.dtype(case.dtype))


def test_every_convolution_was_measured():
    for case in table._cases("float32", table.CONVOLUTIONS):
        rows = measured.FASTEST[choice.kind(case.map, case.geometry(), jnp.dtype(case.dtype))]
        assert (case.channels, case.small_channels, case.side) in {row[:3] for row in rows}


@pytest.mark.integration
def test_an_interrupted_measurement_is_continued_and_the_table_is_written(tmp_path, monkeypatch, capsys):
    out, target = tmp_path / "forms.jsonl", tmp_path / "measured.py"
    target.write_text('"""Head."""\n\nFASTEST: dict = {"old": []}\n')
    monkeypatch.setattr(measured, "__file__", str(target))
    monkeypatch.setattr(table, "CONVOLUTIONS", {((2,), 1, False): [(1, 2, 3)]})
    monkeypatch.setattr(table, "_FLOPS", 1)
    monkeypatch.setattr(table, "_pin", lambda: None)
    table.main(str(out), rounds=1)
    lines = out.read_text().splitlines()
    assert [json.loads(line)["map"] for line in lines] == list(table.MAPS)
    assert "conv 2 stride 1 float32, 1 and 2 channels, side 3, batch size 1: " in capsys.readouterr().out
    out.write_text("\n".join(lines[:2]) + "\n")
    table.main(str(out), rounds=1, update=True)
    assert [line.startswith("kernel_gradient") for line in capsys.readouterr().out.splitlines()] == [True]
    namespace = target.read_text()
    assert namespace.startswith('"""Head."""') and "old" not in namespace
    assert namespace.count("(1, 2, 3.0, ") == 3


def test_a_form_replaces_im2col_only_if_it_is_clearly_faster():
    case = table.Case("conv", (3, 3), 1, False, 64, 64, 16, "float32", 64)
    assert table._fastest(case, {"im2col": 1.0, "winograd 2": 0.85}) == "im2col"
    assert table._fastest(case, {"im2col": 1.0, "winograd 2": 0.51, "native": 0.5}) == "winograd 2"
    assert table._fastest(case, {"im2col": 1.0, "winograd 2": 0.7, "native": 0.5}) == "native"
    assert table._fastest(case, {"im2col": 1.0, "im2col swapped": 0.75}) == "im2col"
    assert table._fastest(case, {"im2col": 1.0, "im2col swapped": 0.7}) == "im2col swapped"
    small = case._replace(side=8)
    assert table._fastest(small, {"im2col": 1.0, "winograd 2": 0.7, "native": 0.5}) == "winograd 2"


def test_times_of_single_images_have_a_weight(tmp_path, monkeypatch):
    """Divided by the time of im2col, the means of winograd are 0.5, 0.5^0.9 * 4^0.1 = 0.62, and sqrt(0.5 * 4) = 1.4."""
    case = table.Case("conv", (3, 3), 1, False, 64, 64, 16, "float32", 1)
    large = case._replace(batch=table._large_batch(case))
    assert large.batch > 1 and {large, case} <= {*table._cases("float32", {((3, 3), 1, False): [(64, 64, 16)]}, True)}
    times = {case: {"im2col": 1.0, "winograd 2": 4.0}, large: {"im2col": 1.0, "winograd 2": 0.5}}
    lines = [{**each._asdict(), "milliseconds": milliseconds} for each, milliseconds in times.items()]
    target = tmp_path / "measured.py"
    monkeypatch.setattr(measured, "__file__", str(target))
    for weight, form in ((0.0, "winograd 2"), (0.1, "winograd 2"), (0.5, "im2col")):
        target.write_text("FASTEST: dict = {}\n")
        table._write_table(lines, weight)
        assert f'(64, 64, 16.0, "{form}")' in target.read_text()

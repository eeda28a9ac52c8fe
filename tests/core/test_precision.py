"""The precision of products, read from the programs that are lowered for devices that the machine does not have."""

import dataclasses
import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments import points
from jaxgan import Game, Net, Player, losses, total
from jaxgan.core import precision
from jaxgan.core.precision import Precise
from jaxgan.models import mlp, stylegan2
from jaxgan.models.dcgan import Discriminator
from jaxgan.nn import convolution
from jaxgan.nn.layers import GroupedConv
from jaxgan.training.runs import make_run
from jaxgan.training.steps import Steps

B = 2


def precisions(f, *arguments):
    """Return the precisions of all products of a function, lowered for each accelerator. They must be equal."""
    traced, found = jax.jit(f).trace(*arguments), []
    for platform in ("cuda", "tpu"):
        text = traced.lower(lowering_platforms=(platform,)).as_text()
        products = [line for line in text.splitlines() if re.search(r"stablehlo\.(dot_general|convolution)", line)]
        # The form of a convolution is "#stablehlo<precision HIGH>", that of a product of matrices "[HIGH, HIGH]".
        named = [re.search(r"precision[ =\[]+(DEFAULT|HIGHEST|HIGH)", line) for line in products]
        found.append({match[1] if match else "DEFAULT" for match in named})
    assert found[0] == found[1] != set()
    return found[0]


class Linen(nn.Module):
    """A discriminator of flax's own layers."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(1)(nn.tanh(nn.Conv(4, (3, 3))(x)).reshape(len(x), -1)).reshape(-1)


class Grouped(nn.Module):
    """A discriminator with a grouped convolution, which is a convolution under ``jax.vmap``."""

    @nn.compact
    def __call__(self, x):
        return jnp.tanh(GroupedConv(3, 2)(x)).sum((1, 2, 3))


DISCRIMINATORS = {
    "dcgan": (Discriminator(4, norm="none"), (16, 16, 3)),
    "mlp": (mlp.Discriminator((8,)), (8, 8, 1)),
    "grouped": (Grouped(), (8, 8, 4)),
    "linen": (Linen(), (8, 8, 1)),
}
PENALTIES = {
    "r1": lambda d, x, keys, step: losses.r1(d, x),
    "gradient": lambda d, x, keys, step: losses.gradient_penalty(d, x, x + 1, keys),
    "dragan": lambda d, x, keys, step: losses.dragan(d, x, keys, 0.1),
    "lazy": lambda d, x, keys, step: losses.lazy(4, step, lambda: losses.r1(d, x)),
}


def penalty_game(name, penalty, **losses_of):
    """Return a game with a single network and a loss that consists of a penalty and the terms ``losses_of``."""
    module, shape = DISCRIMINATORS[name]

    def loss(nets, batch, keys, step):
        terms = {term: f(nets.d, batch) for term, f in losses_of.items()}
        return total(penalty=PENALTIES[penalty](nets.d, batch, keys, step), **terms)

    return Game({"d": Net(module, jnp.ones((1, *shape)))}, {"d": Player(("d",), loss, optax.sgd(0.1))}, (("d",),))


def step_inputs(game, name):
    x = jax.random.normal(jax.random.key(1), (B, *DISCRIMINATORS[name][1]))
    return jax.jit(game.init)(jax.random.key(0)), x


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_the_products_of_a_penalty_and_of_its_derivatives_are_float32(name, penalty):
    game = penalty_game(name, penalty)
    assert precisions(game.step, *step_inputs(game, name)) == {"HIGHEST"}


def test_the_products_of_path_lengths_are_float32():
    synthesis = stylegan2.Synthesis((8, 8), channel_base=32, channel_max=4)
    ws, keys = jnp.ones((B, synthesis.num_ws, 4)), jax.random.split(jax.random.key(0), B)
    variables = jax.jit(synthesis.init)(jax.random.key(0), ws)

    def penalty(params, rest, ws):
        def images(ws):
            return jnp.asarray(synthesis.apply({"params": params, **rest}, ws))

        return losses.path_lengths(images, ws, keys).sum()

    params = variables.pop("params")
    assert precisions(jax.grad(penalty), params, variables, ws) == {"HIGHEST"}


def test_derivatives_of_higher_order_keep_the_precision():
    g = convolution.same((8, 8), (3, 3), 1)

    def penalty(w):
        return losses.r1(lambda x: jnp.tanh(convolution.conv(g, x, w)).sum((1, 2, 3)), jnp.ones((B, 8, 8, 2))).sum()

    third = jax.grad(lambda w: jnp.square(jax.grad(penalty)(w)).sum())
    assert precisions(third, jnp.ones((3, 3, 2, 2))) == {"HIGHEST"}


def adversarial(d, x):
    return jax.nn.softplus(-d(x))


@pytest.mark.parametrize(
    ("products", "penalties", "expected"),
    [
        ("default", "highest", {"DEFAULT", "HIGHEST"}),
        ("default", "default", {"DEFAULT"}),
        ("high", "default", {"HIGH"}),  # the precision of a penalty is at least the precision of all products
        ("high", "highest", {"HIGH", "HIGHEST"}),
        ("highest", "high", {"HIGHEST"}),
    ],
)
@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_a_wrapper_sets_the_precision_of_a_step(name, products, penalties, expected):
    game = Precise(penalty_game(name, "r1", adversarial=adversarial), products, penalties)
    assert precisions(game.step, *step_inputs(game, name)) == expected


def test_the_precision_of_the_caller_is_not_lowered():
    game = penalty_game("dcgan", "r1", adversarial=adversarial)
    with jax.default_matmul_precision("float32"):
        assert precisions(Precise(game, "high", "high").step, *step_inputs(game, "dcgan")) == {"HIGHEST"}
    assert precision.current() is None
    for lower, higher in (("bfloat16", "high"), ("default", "highest"), ("BF16_BF16_F32_X3", "highest")):
        with jax.default_matmul_precision(lower), precision.at_least(higher):
            assert precision.current() == higher
    with jax.default_matmul_precision("highest"), precision.at_least("high"), precision.of_penalties():
        assert precision.current() == "highest"


def test_a_function_by_platform_has_its_precision_on_accelerators_only():
    def f(x):
        return precision.by_platform("high", lambda x: x @ x @ x, lambda x: x @ x, x)

    assert precisions(f, jnp.ones((2, 2))) == {"HIGH"}
    with jax.default_matmul_precision("highest"):
        assert "HIGHEST" not in jax.jit(f).lower(jnp.ones((2, 2))).as_text()
    np.testing.assert_array_equal(f(2 * jnp.eye(2)), 8 * jnp.eye(2))  # computed by the function for CPUs


@pytest.mark.parametrize("name", ["dcgan", "mlp", "grouped"])
def test_on_cpus_the_precision_changes_neither_the_results_nor_the_number_of_products(name):
    """If the products had a precision, XLA would compute the logits of the loss and of R1 separately."""
    game, compiled, results = penalty_game(name, "r1", adversarial=adversarial), [], []
    inputs = step_inputs(game, name)
    for precise in (Precise(game, "default", "default"), Precise(game), Precise(game, "highest")):
        step = jax.jit(precise.step).lower(*inputs).compile()
        compiled.append(len(re.findall(r" (?:dot|convolution)\(", step.as_text() or "")))
        results.append(step(*inputs))
    assert len(set(compiled)) == 1 and compiled[0] > 0
    jax.tree.map(np.testing.assert_array_equal, *map(raw, results[:2]))
    jax.tree.map(np.testing.assert_array_equal, *map(raw, results[1:]))


def raw(result):
    """Replace PRNG keys by integers."""
    return jax.tree.map(lambda x: jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x, result)


@pytest.mark.parametrize("changes", [{}, {"population": 2}, {"sweep": ("learning_rate=1e-3,1e-4",)}])
def test_a_run_trains_with_the_precision_of_its_settings(changes):
    config = points.Config.tiny(**changes)
    for penalties, expected in {"highest": {"DEFAULT", "HIGHEST"}, "default": {"DEFAULT"}}.items():
        chosen = dataclasses.replace(config, penalty_precision=penalties)
        run = make_run(chosen, points.build(chosen), points.build)
        steps = Steps(run, chosen, run.devices(1), "pmap")
        step = steps.at(0)
        compiled, step._mapped = step._mapped, lambda *arguments: arguments
        arguments = step(
            jax.eval_shape(run.init, run.keys), jax.tree.map(lambda x: np.stack([x]), next(steps.batches(0)))
        )
        assert precisions(compiled, *arguments) == expected

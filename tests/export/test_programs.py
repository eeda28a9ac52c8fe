"""Tests of functions in the format of ``jax.export``: which programs are accepted, and the shapes of their results."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from jaxgan.export.programs import PLATFORMS, check_function, export_function, output_shapes, read_function

POINTS = jax.ShapeDtypeStruct((4, 3), jnp.float32)


def doubled(x):
    return {"twice": 2 * x, "norm": jnp.linalg.norm(x, axis=-1)}


def test_a_function_is_read_as_it_was_written():
    function = read_function(bytes(export_function(doubled)(POINTS).serialize()), "generate")
    assert function.platforms == PLATFORMS
    points = np.arange(12, dtype=np.float32).reshape(4, 3)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6), function.call(points), doubled(points))


def test_shapes_are_known_without_execution():
    (batch,) = jax.export.symbolic_shape("b")
    function = export_function(doubled)(jax.ShapeDtypeStruct((batch, 3), jnp.float32))
    shapes = output_shapes(function, "generate", POINTS)
    assert {name: (x.shape, x.dtype) for name, x in shapes.items()} == {
        "twice": ((4, 3), jnp.float32),
        "norm": ((4,), jnp.float32),
    }
    for other in (jax.ShapeDtypeStruct((4, 2), jnp.float32), jax.ShapeDtypeStruct((4, 3), jnp.int32)):
        with pytest.raises(ValueError, match=r"^The function generate does not accept the arguments"):
            output_shapes(function, "generate", other)


def on_two_devices():
    mesh = jax.make_mesh((2,), ("i",), devices=jax.devices()[:2])
    sharding = NamedSharding(mesh, PartitionSpec("i"))
    return jax.export.export(jax.jit(lambda x: 2 * x, in_shardings=sharding))(POINTS)


def test_a_function_of_several_devices_is_refused():
    with pytest.raises(ValueError, match="The function generate requires several devices or has side effects"):
        check_function(on_two_devices(), "generate")
    check_function(jax.export.export(jax.jit(lambda x: 2 * x))(POINTS), "generate")

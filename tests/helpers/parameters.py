"""Return the shapes of a module's parameters, and draw parameters that are not 0."""

import jax
import jax.numpy as jnp
import numpy as np


def shapes(module, x):
    """Return the shapes of a module's variables for the input ``x``."""
    return jax.eval_shape(lambda: module.init(jax.random.key(0), x, train=True))


def named(tree):
    """Return the shapes of the leaves of a tree, under the names of their paths joined by dots."""
    return {".".join(k.key for k in path): p.shape for path, p in jax.tree_util.tree_leaves_with_path(tree)}


def drawn(module, x, seed=0):
    """Draw parameters and moving statistics of a module; none is 0, and scales and variances are positive."""
    rng = np.random.default_rng(seed)  # a separate generator, so that the result does not depend on other tests

    def draw(path, p):
        if path[-1].key in ("scale", "var"):
            return jnp.array(rng.uniform(0.5, 1.5, p.shape), jnp.float32)
        return jnp.array(rng.normal(size=p.shape) / np.sqrt(np.prod(p.shape[:-1]) or 1), jnp.float32)

    return jax.tree_util.tree_map_with_path(draw, shapes(module, x))

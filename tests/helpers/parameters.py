"""Parameters of a module: their shapes, by name, and drawn so that none is 0."""

import jax
import jax.numpy as jnp
import numpy as np


def shapes(module, x):
    return jax.eval_shape(lambda: module.init(jax.random.key(0), x, train=True))


def named(tree):
    return {".".join(k.key for k in path): p.shape for path, p in jax.tree_util.tree_leaves_with_path(tree)}


def drawn(module, x, seed=0):
    """Parameters and moving statistics from a distribution in which none is 0, and variances are above 0."""
    rng = np.random.default_rng(seed)  # its own: a draw does not depend on the tests before

    def draw(path, p):
        if path[-1].key in ("scale", "var"):
            return jnp.array(rng.uniform(0.5, 1.5, p.shape), jnp.float32)
        return jnp.array(rng.normal(size=p.shape) / np.sqrt(np.prod(p.shape[:-1]) or 1), jnp.float32)

    return jax.tree_util.tree_map_with_path(draw, shapes(module, x))

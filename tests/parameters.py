"""Parameters of a module: their shapes, by name, and drawn so that none is 0."""

import jax
import jax.numpy as jnp
import numpy as np

RNG = np.random.default_rng(0)


def shapes(module, x):
    return jax.eval_shape(lambda: module.init(jax.random.key(0), x, train=True))


def named(tree):
    return {".".join(k.key for k in path): p.shape for path, p in jax.tree_util.tree_leaves_with_path(tree)}


def drawn(module, x):
    """Parameters and moving statistics from a distribution in which none is 0, and variances are above 0."""

    def draw(path, p):
        if path[-1].key in ("scale", "var"):
            return jnp.array(RNG.uniform(0.5, 1.5, p.shape), jnp.float32)
        return jnp.array(RNG.normal(size=p.shape) / np.sqrt(np.prod(p.shape[:-1]) or 1), jnp.float32)

    return jax.tree_util.tree_map_with_path(draw, shapes(module, x))

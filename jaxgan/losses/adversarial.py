"""Adversarial losses: pure functions of logits that return one value per example.

The arguments are ``real_logits`` = D(x) and ``fake_logits`` = D(G(z)), the raw outputs of the discriminator or critic,
[B]. Every loss function returns the loss of each example, [B]. The network in the function's name minimises this loss.
The functions do not average over the batch, because ``jaxgan.total`` does. Each function raises ``ValueError`` if its
logits are not vectors of the same length, because [B, 1] and [B] would broadcast to [B, B] and the loss would be wrong.

In the equations, sigma is the sigmoid function and softplus(t) = log(1 + exp(t)).
"""

import jax
import jax.numpy as jnp
import optax

from jaxgan.core.numbers import is_traced, require_floats


def minimax_discriminator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    """Return the minimax loss of the discriminator.

    It is -log sigma(D(x)) - log(1 - sigma(D(G(z)))): equation 1 of Goodfellow et al. 2014.

    Args:
      real_logits: D(x), the discriminator's outputs for real examples, [B].
      fake_logits: D(G(z)), the discriminator's outputs for fakes, [B].

    Returns:
      The loss at each index, [B]. It combines the real example and the fake with this index.

    Raises:
      ValueError: if the logits are not vectors, [B], of the same length.
    """
    check_logits(real_logits, fake_logits)
    return jax.nn.softplus(-real_logits) + jax.nn.softplus(fake_logits)


def minimax_generator(fake_logits: jax.Array) -> jax.Array:
    """Return the minimax loss of the generator.

    It is log(1 - sigma(D(G(z)))): equation 1 of Goodfellow et al. 2014. It saturates: its gradient vanishes where D
    confidently classifies the samples as fake.

    Args:
      fake_logits: D(G(z)), the discriminator's outputs for fakes, [B].

    Returns:
      The loss of each fake, [B].

    Raises:
      ValueError: if the logits are not a vector, [B].
    """
    check_logits(fake_logits)
    return -jax.nn.softplus(fake_logits)


def non_saturating_discriminator(real_logits: jax.Array, fake_logits: jax.Array, real_target: float = 1.0) -> jax.Array:
    """Return the binary cross-entropy of the discriminator, with optional one-sided label smoothing.

    Args:
      real_logits: D(x), [B].
      fake_logits: D(G(z)), [B]. The label of fakes is 0.
      real_target: label of real examples, in (0, 1]. With 1 the loss is ``minimax_discriminator``. 0.9 is the one-sided
        label smoothing of Salimans et al. 2016, section 3.4.

    Raises:
      ValueError: if the logits are not vectors of the same length, or ``real_target`` is not in (0, 1].
    """
    check_logits(real_logits, fake_logits)
    if not is_traced(real_target) and not 0 < real_target <= 1:
        raise ValueError(
            f"`real_target` must be a probability in (0, 1], got {real_target}. Use 1 for no label smoothing."
        )
    targets = jnp.full_like(real_logits, real_target)
    return optax.sigmoid_binary_cross_entropy(real_logits, targets) + jax.nn.softplus(fake_logits)


def non_saturating_generator(fake_logits: jax.Array) -> jax.Array:
    """Return the non-saturating loss of the generator, -log sigma(D(G(z))): Goodfellow et al. 2014, section 3.

    Args:
      fake_logits: D(G(z)), the discriminator's outputs for fakes, [B].

    Returns:
      The loss of each fake, [B].

    Raises:
      ValueError: if the logits are not a vector, [B].
    """
    check_logits(fake_logits)
    return jax.nn.softplus(-fake_logits)


def hinge_discriminator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    """Return the hinge loss of the discriminator, max(0, 1 - D(x)) + max(0, 1 + D(G(z))).

    Sources: Lim and Ye 2017; Miyato et al. 2018, equation 16.

    Args:
      real_logits: D(x), the discriminator's outputs for real examples, [B].
      fake_logits: D(G(z)), the discriminator's outputs for fakes, [B].

    Returns:
      The loss at each index, [B]. It combines the real example and the fake with this index.

    Raises:
      ValueError: if the logits are not vectors, [B], of the same length.
    """
    check_logits(real_logits, fake_logits)
    return jax.nn.relu(1 - real_logits) + jax.nn.relu(1 + fake_logits)


def hinge_generator(fake_logits: jax.Array) -> jax.Array:
    """Return the hinge loss of the generator, -D(G(z)): Miyato et al. 2018, equation 17.

    Args:
      fake_logits: D(G(z)), the discriminator's outputs for fakes, [B].

    Returns:
      The loss of each fake, [B].

    Raises:
      ValueError: if the logits are not a vector, [B].
    """
    check_logits(fake_logits)
    return -fake_logits


def least_squares_discriminator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    """Return the least-squares loss of the discriminator.

    It is (D(x) - 1)^2 / 2 + D(G(z))^2 / 2: equation 9 of Mao et al. 2017.

    Args:
      real_logits: D(x), the discriminator's outputs for real examples, [B].
      fake_logits: D(G(z)), the discriminator's outputs for fakes, [B].

    Returns:
      The loss at each index, [B]. It combines the real example and the fake with this index.

    Raises:
      ValueError: if the logits are not vectors, [B], of the same length.
    """
    check_logits(real_logits, fake_logits)
    return 0.5 * (jnp.square(real_logits - 1) + jnp.square(fake_logits))


def least_squares_generator(fake_logits: jax.Array) -> jax.Array:
    """Return the least-squares loss of the generator, (D(G(z)) - 1)^2 / 2: Mao et al. 2017, equation 9.

    Args:
      fake_logits: D(G(z)), the discriminator's outputs for fakes, [B].

    Returns:
      The loss of each fake, [B].

    Raises:
      ValueError: if the logits are not a vector, [B].
    """
    check_logits(fake_logits)
    return 0.5 * jnp.square(fake_logits - 1)


def wasserstein_discriminator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    """Return the Wasserstein loss of the critic, D(G(z)) - D(x): Arjovsky et al. 2017, equation 2.

    Its mean is the negative of the critic's estimate of the Wasserstein-1 distance.

    Args:
      real_logits: D(x), the critic's outputs for real examples, [B].
      fake_logits: D(G(z)), the critic's outputs for fakes, [B].

    Returns:
      The loss at each index, [B]. It combines the real example and the fake with this index.

    Raises:
      ValueError: if the logits are not vectors, [B], of the same length.
    """
    check_logits(real_logits, fake_logits)
    return fake_logits - real_logits


def wasserstein_generator(fake_logits: jax.Array) -> jax.Array:
    """Return the Wasserstein loss of the generator, -D(G(z)): Arjovsky et al. 2017, algorithm 1.

    Args:
      fake_logits: D(G(z)), the critic's outputs for fakes, [B].

    Returns:
      The loss of each fake, [B].

    Raises:
      ValueError: if the logits are not a vector, [B].
    """
    check_logits(fake_logits)
    return -fake_logits


def relativistic_discriminator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    """Return the relativistic loss of the discriminator, softplus(-(D(x) - D(G(z)))).

    Each real example is paired with the fake at the same index. Sources: Jolicoeur-Martineau 2018; Huang et al. 2024,
    equation 2.

    Args:
      real_logits: D(x), the discriminator's outputs for real examples, [B].
      fake_logits: D(G(z)), the discriminator's outputs for fakes, [B].

    Returns:
      The loss at each index, [B]. It combines the real example and the fake with this index.

    Raises:
      ValueError: if the logits are not vectors, [B], of the same length.
    """
    check_logits(real_logits, fake_logits)
    return jax.nn.softplus(fake_logits - real_logits)


def relativistic_generator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    """Return the relativistic loss of the generator, softplus(-(D(G(z)) - D(x))).

    It is the loss of ``relativistic_discriminator`` with real examples and fakes exchanged.

    Args:
      real_logits: D(x), the discriminator's outputs for real examples, [B].
      fake_logits: D(G(z)), the discriminator's outputs for fakes, [B].

    Returns:
      The loss at each index, [B]. It combines the real example and the fake with this index.

    Raises:
      ValueError: if the logits are not vectors, [B], of the same length.
    """
    check_logits(real_logits, fake_logits)
    return jax.nn.softplus(real_logits - fake_logits)


def discriminator_metrics(real_logits: jax.Array, fake_logits: jax.Array) -> dict[str, jax.Array]:
    """Return metrics that show how well the discriminator separates real examples from fakes.

    The losses must have the log-odds that an example is real as optimal outputs, as the minimax and the non-saturating
    loss do. ``score_metrics`` is for other losses, such as least squares and hinge.

    Args:
      real_logits: D(x), the discriminator's outputs for real examples, [B].
      fake_logits: D(G(z)), the discriminator's outputs for fakes, [B].

    Returns:
      A dictionary from names to arrays, [B], for ``jaxgan.total(..., metrics=...)``. It has the metrics of
      ``score_metrics``, and ``value``: log sigma(D(x)) + log(1 - sigma(D(G(z)))), the integrand of the value function
      V(D, G). Its mean is -log 4 at the equilibrium of the game (Goodfellow et al. 2014, theorem 1).

    Raises:
      ValueError: if the logits are not vectors, [B], of the same length.
    """
    return {
        **score_metrics(real_logits, fake_logits),
        "value": -minimax_discriminator(real_logits, fake_logits),
    }


def score_metrics(
    real_logits: jax.Array, fake_logits: jax.Array, threshold: float | jax.Array = 0.0
) -> dict[str, jax.Array]:
    """Return metrics that show how well a discriminator with outputs of any scale separates real examples from fakes.

    Args:
      real_logits: D(x), the discriminator's outputs for real examples, [B].
      fake_logits: D(G(z)), the discriminator's outputs for fakes, [B].
      threshold: the output above which the discriminator classifies an example as real, for example 1/2 for the
        least-squares loss with the targets 0 and 1.

    Returns:
      A dictionary from names to arrays, [B], for ``jaxgan.total(..., metrics=...)``:

      - ``accuracy_real``, ``accuracy_fake``: whether D classifies the example correctly. The means of both are near 0.5
        if D cannot distinguish real examples from fakes.
      - ``logits_real``, ``logits_fake``: the outputs minus the threshold.

    Raises:
      ValueError: if the outputs are not vectors, [B], of the same length.
    """
    check_logits(real_logits, fake_logits)
    real, fake = real_logits - threshold, fake_logits - threshold
    return {"accuracy_real": real > 0, "accuracy_fake": fake < 0, "logits_real": real, "logits_fake": fake}


def check_logits(*logits: jax.Array) -> None:
    """Raise an error unless all logits are vectors of floating-point numbers of the same length, [B]."""
    for x in logits:
        require_floats(logits=x)
    shapes = [x.shape for x in logits]
    if any(x.ndim != 1 for x in logits) or len(set(shapes)) > 1:
        raise ValueError(
            f"Logits must have one value per example, [B], and the same length, got the shapes "
            f"{', '.join(map(str, shapes))}. Squeeze the output of the discriminator: x.reshape(len(x))."
        )

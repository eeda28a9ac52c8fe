"""Adversarial losses: pure functions of logits, one value per example.

Notation: ``real_logits`` = D(x) and ``fake_logits`` = D(G(z)), the discriminator's raw outputs, [B];
for a critic they are its scores. Every function returns [B], to be minimised by the player that it is
named after, and none averages: ``jaxgan.total`` does. Each raises ``ValueError`` if its logits are not
vectors of the same length, because [B, 1] and [B] would broadcast to [B, B] and train on nonsense.

The sources' own symbols: sigma is the sigmoid, softplus(t) = log(1 + exp(t)).
"""

import jax
import jax.numpy as jnp
import optax


def minimax_discriminator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    """-log sigma(D(x)) - log(1 - sigma(D(G(z)))). Goodfellow et al. 2014, equation 1."""
    check_logits(real_logits, fake_logits)
    return jax.nn.softplus(-real_logits) + jax.nn.softplus(fake_logits)


def minimax_generator(fake_logits: jax.Array) -> jax.Array:
    """log(1 - sigma(D(G(z)))), which saturates where D is sure. Goodfellow et al. 2014, equation 1."""
    check_logits(fake_logits)
    return -jax.nn.softplus(fake_logits)


def non_saturating_discriminator(real_logits: jax.Array, fake_logits: jax.Array, real_target: float = 1.0) -> jax.Array:
    """Cross-entropy with reals labelled ``real_target`` in (0, 1], fakes 0.

    1 is the minimax discriminator; 0.9 is one-sided label smoothing (Salimans et al. 2016, section 3.4).
    """
    check_logits(real_logits, fake_logits)
    if not 0 < real_target <= 1:
        raise ValueError(f"`real_target` must be a probability in (0, 1], got {real_target}; 1 is no smoothing.")
    targets = jnp.full_like(real_logits, real_target)
    return optax.sigmoid_binary_cross_entropy(real_logits, targets) + jax.nn.softplus(fake_logits)


def non_saturating_generator(fake_logits: jax.Array) -> jax.Array:
    """-log sigma(D(G(z))). Goodfellow et al. 2014, section 3."""
    check_logits(fake_logits)
    return jax.nn.softplus(-fake_logits)


def hinge_discriminator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    """max(0, 1 - D(x)) + max(0, 1 + D(G(z))). Lim and Ye 2017; Miyato et al. 2018, equation 16."""
    check_logits(real_logits, fake_logits)
    return jax.nn.relu(1 - real_logits) + jax.nn.relu(1 + fake_logits)


def hinge_generator(fake_logits: jax.Array) -> jax.Array:
    """-D(G(z)). Miyato et al. 2018, equation 17."""
    check_logits(fake_logits)
    return -fake_logits


def least_squares_discriminator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    """(D(x) - 1)^2 / 2 + D(G(z))^2 / 2. Mao et al. 2017, equation 9."""
    check_logits(real_logits, fake_logits)
    return 0.5 * (jnp.square(real_logits - 1) + jnp.square(fake_logits))


def least_squares_generator(fake_logits: jax.Array) -> jax.Array:
    """(D(G(z)) - 1)^2 / 2. Mao et al. 2017, equation 9."""
    check_logits(fake_logits)
    return 0.5 * jnp.square(fake_logits - 1)


def wasserstein_discriminator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    """D(G(z)) - D(x): minus the critic's estimate of W1. Arjovsky et al. 2017, equation 2."""
    check_logits(real_logits, fake_logits)
    return fake_logits - real_logits


def wasserstein_generator(fake_logits: jax.Array) -> jax.Array:
    """-D(G(z)). Arjovsky et al. 2017, algorithm 1."""
    check_logits(fake_logits)
    return -fake_logits


def relativistic_discriminator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    """softplus(-(D(x) - D(G(z)))), pair by pair. Jolicoeur-Martineau 2018; Huang et al. 2024, equation 2."""
    check_logits(real_logits, fake_logits)
    return jax.nn.softplus(fake_logits - real_logits)


def relativistic_generator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    """softplus(-(D(G(z)) - D(x))): the discriminator's, mirrored."""
    check_logits(real_logits, fake_logits)
    return jax.nn.softplus(real_logits - fake_logits)


def discriminator_metrics(real_logits: jax.Array, fake_logits: jax.Array) -> dict[str, jax.Array]:
    """Metrics that show the state of the game, by name, [B] each: for ``total(..., metrics=...)``.

    ``accuracy_real`` and ``accuracy_fake`` say whether D is right, at probability 1/2; both are near one half where D
    cannot tell. ``logits_real`` and ``logits_fake`` are the logits. ``value`` is the integrand of V(D, G) =
    E log sigma(D(x)) + E log(1 - sigma(D(G(z)))), which is -log 4 at the game's equilibrium (Goodfellow et al. 2014,
    theorem 1) whatever loss is trained, as long as the logits are log-odds.
    """
    return {
        "accuracy_real": real_logits > 0,
        "accuracy_fake": fake_logits < 0,
        "logits_real": real_logits,
        "logits_fake": fake_logits,
        "value": -minimax_discriminator(real_logits, fake_logits),
    }


def check_logits(*logits: jax.Array) -> None:
    """``ValueError`` unless all are vectors of the same length, [B]."""
    shapes = [x.shape for x in logits]
    if any(x.ndim != 1 for x in logits) or len(set(shapes)) > 1:
        raise ValueError(
            f"Logits must have one value per example, [B], and the same length, got the shapes "
            f"{', '.join(map(str, shapes))}. Squeeze the output of the discriminator: x.reshape(len(x))"
        )

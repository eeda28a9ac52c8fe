"""Tests of converged discriminators and critics against their theoretical optima."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats

from jaxgan import Game, Net, Player, latents, losses, total
from jaxgan.games.optimizers import clip_weights
from jaxgan.models import mlp

STEPS, BATCH = 2000, 256


def trained(loss, optimizer, examples=BATCH, hidden=(32, 32), steps=STEPS):
    """Train a discriminator of points on a line as the only player, and return it as a function of [N, 1]."""
    game = Game(
        nets={"d": Net(mlp.Discriminator(hidden), jnp.zeros((1, 1)))},
        players={"d": Player(("d",), loss, optimizer)},
        turns=(("d",),),
    )

    def step(state, _):
        return game.step(state, jnp.zeros((examples, 1)))[0], None

    state, _ = jax.jit(lambda state: jax.lax.scan(step, state, length=steps))(game.init(jax.random.key(0)))
    return game.functions(state).d


@pytest.mark.slow
def test_the_optimal_discriminator_is_the_log_ratio_of_densities():
    """The optimal logits are log p - log q, and the value is -log 4 + 2 JSD(p, q).

    See Goodfellow et al. 2014, proposition 1 and theorem 1.
    """
    p, q = stats.norm(-0.5, 1.0), stats.norm(0.5, 0.7)

    def loss(nets, batch, keys, step):
        noise = latents(keys, 2)
        real, fake = p.mean() + p.std() * noise[:, :1], q.mean() + q.std() * noise[:, 1:]
        return total(adversarial=losses.minimax_discriminator(nets.d(real), nets.d(fake)))

    d = trained(loss, optax.adam(optax.cosine_decay_schedule(3e-3, STEPS)), 2048)
    x = np.linspace(-6, 6, 4001)
    densities = p.pdf(x), q.pdf(x)
    logits = np.asarray(d(jnp.asarray(x[:, None], jnp.float32)), np.float64)
    frequent = np.minimum(*densities) > 0.02
    assert np.abs(logits - (p.logpdf(x) - q.logpdf(x)))[frequent].mean() < 0.05
    middle = (densities[0] + densities[1]) / 2
    divergence = sum(np.trapezoid(f * np.log(f / middle), x) for f in densities) / 2
    value = np.trapezoid(-densities[0] * np.logaddexp(0, -logits) - densities[1] * np.logaddexp(0, logits), x)
    assert value == pytest.approx(-np.log(4) + 2 * divergence, rel=0.02)
    assert value > -np.log(4) + 0.1  # the value of a discriminator that guesses is -log 4


@pytest.mark.integration
@pytest.mark.parametrize(("apart", "weight"), [(1.0, 10.0), (2.0, 2.0)])
def test_a_critic_with_gradient_penalty_overestimates_the_distance(apart, weight):
    """WGAN-GP between two points at distance a maximises a s - weight (s - 1)^2 over the slope s of the critic.

    The maximum is at s = 1 + a / (2 weight).
    """

    def loss(nets, batch, keys, step):
        real, fake = jnp.zeros_like(batch), jnp.full_like(batch, apart)
        distance = losses.wasserstein_discriminator(nets.d(real), nets.d(fake))
        return total(distance=distance, penalty=weight * losses.gradient_penalty(nets.d, real, fake, keys))

    d = trained(loss, optax.adam(optax.cosine_decay_schedule(3e-3, STEPS), b1=0.0, b2=0.9), 64)
    reached = float(d(jnp.zeros((1, 1)))[0] - d(jnp.full((1, 1), apart))[0])
    assert reached == pytest.approx(apart * (1 + apart / (2 * weight)), rel=0.02)
    assert reached > 1.03 * apart  # larger than the Wasserstein distance W1


@pytest.mark.integration
def test_a_critic_with_clipped_weights_estimates_a_multiple_of_the_distance():
    """The estimate is at most K times W1, where K is the largest slope of a critic with clipped weights.

    See Arjovsky et al. 2017. The test uses points on a line and the exact W1 of SciPy. For a network with one input, 32
    hidden units, one output and weights in [-c, c], K is 32 c^2, because each unit adds at most c^2 to the slope. K is
    much smaller than 1 for the paper's c = 0.01, and larger than 1 for c = 0.5. The estimate of WGAN-GP is between W1
    and the overestimate of the test above.
    """
    rng = np.random.default_rng(0)
    real, fake = rng.normal(0.0, 0.5, 64), rng.normal(1.0, 0.3, 64)
    exact = stats.wasserstein_distance(real, fake)
    points = [jnp.asarray(x[:, None], jnp.float32) for x in (real, fake)]
    weight, steps = 10.0, 600

    def clipped(nets, batch, keys, step):
        return total(distance=losses.wasserstein_discriminator(*map(nets.d, points)))

    def penalised(nets, batch, keys, step):
        # Sorted pairs are the optimal transport of points on a line. Along it, the optimal critic has the slope 1.
        paired = [jnp.sort(x, 0) for x in points]
        penalty = losses.gradient_penalty(nets.d, *paired, keys)
        return total(distance=losses.wasserstein_discriminator(*map(nets.d, points)), penalty=weight * penalty)

    def estimate(d):
        return float(d(points[0]).mean() - d(points[1]).mean())

    optimizer = optax.adam(optax.cosine_decay_schedule(3e-3, steps), b1=0.0, b2=0.9)
    by_limit = {
        c: estimate(trained(clipped, optax.chain(optimizer, clip_weights(c)), 64, (32,), steps)) for c in (0.01, 0.5)
    }
    for limit, found in by_limit.items():
        assert 0 < found <= 32 * limit**2 * exact * (1 + 1e-3)
    assert by_limit[0.01] < 0.01 * exact
    assert by_limit[0.5] > 2 * exact
    penalised_estimate = estimate(trained(penalised, optimizer, 64, steps=steps))
    assert exact < penalised_estimate < exact * (1 + 2 * exact / (2 * weight))

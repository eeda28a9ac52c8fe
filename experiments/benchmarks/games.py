"""Define, with jaxgan, the games that are timed against PyTorch.

The games contain only what the comparison needs. For example, they have no moving average of the generator's weights.
``experiments.benchmarks.torch_games`` defines the same games with PyTorch and converts the parameters.
"""

import dataclasses
from collections.abc import Callable
from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
import optax

from jaxgan import Game, Net, Player, latents, losses, total
from jaxgan.models import dcgan, mlp, resnet


@dataclasses.dataclass(frozen=True)
class Case:
    """The architecture, losses and sizes of a game that is timed.

    Attributes:
      networks: function that creates the generator and the discriminator.
      latents: dimension of the latents.
      shape: shape of an example: [height, width, channels] for images, [2] for points in the plane.
      batch: number of examples in each turn.
      loss: ``non_saturating`` or ``wasserstein``.
      penalty: the penalty in the discriminator's loss, computed in every step. ``r1`` selects R1 with gamma 10,
        ``gradient`` selects the gradient penalty of WGAN-GP with weight 10, and an empty string selects no penalty.
      turns: number of the discriminator's turns in one step.
      generator: whether the generator has a turn. If false, the generator generates the fakes, but is not trained.
      beta1: Adam's beta1. The learning rate is 2e-4 and beta2 is 0.999.
    """

    networks: Callable[[], tuple[nn.Module, nn.Module]]
    latents: int
    shape: tuple[int, ...]
    batch: int
    loss: str = "non_saturating"
    penalty: str = ""
    turns: int = 1
    generator: bool = True
    beta1: float = 0.5


def _dcgan(size: int) -> Callable:
    return lambda: (dcgan.Generator(size, 3, 64), dcgan.Discriminator(64))


def _toy():
    return mlp.Generator((2,), (64, 64), output_activation=lambda x: x), mlp.Discriminator((64, 64))


Name = Literal["mlp", "dcgan32", "dcgan64", "dcgan32_r1", "dcgan32_r1_turn", "wgan_gp32", "toy"]

CASES: dict[str, Case] = {
    "mlp": Case(lambda: (mlp.Generator((28, 28, 1)), mlp.Discriminator()), 100, (28, 28, 1), 100),
    "dcgan32": Case(_dcgan(32), 100, (32, 32, 3), 64),
    "dcgan64": Case(_dcgan(64), 100, (64, 64, 3), 64),
    "dcgan32_r1": Case(_dcgan(32), 100, (32, 32, 3), 64, penalty="r1"),
    "dcgan32_r1_turn": Case(_dcgan(32), 100, (32, 32, 3), 64, penalty="r1", generator=False),
    "wgan_gp32": Case(
        lambda: (resnet.Generator(channels=64), resnet.Critic(64)),
        *(128, (32, 32, 3), 64, "wasserstein", "gradient", 5),
        beta1=0.0,
    ),
    "toy": Case(_toy, 2, (2,), 128),
}


def build(case: Case, optimizer: optax.GradientTransformation | None = None) -> Game:
    """Create the game of a case.

    Args:
      case: the architecture, losses and sizes.
      optimizer: the optimizer of both players. By default, Adam with the settings of the case.
    """
    generator, discriminator = case.networks()
    discriminator_losses = {
        "non_saturating": losses.non_saturating_discriminator,
        "wasserstein": losses.wasserstein_discriminator,
    }
    generator_losses = {"non_saturating": losses.non_saturating_generator, "wasserstein": losses.wasserstein_generator}

    def discriminator_loss(nets, real, keys, step):
        fake = nets.g(latents(keys, case.latents))
        real_logits, stats = nets.d.with_stats(real)
        fake_logits = nets.d(fake)
        terms = {"adversarial": discriminator_losses[case.loss](real_logits, fake_logits)}
        if case.penalty == "r1":
            terms["r1"] = 5.0 * losses.r1(nets.d, real)
        if case.penalty == "gradient":
            terms["penalty"] = 10.0 * losses.gradient_penalty(nets.d, real, fake, keys)
        metrics = losses.discriminator_metrics(real_logits, fake_logits)
        return total(**terms, metrics=metrics, stats={"d": stats})

    def generator_loss(nets, real, keys, step):
        fake, stats = nets.g.with_stats(latents(keys, case.latents))
        return total(adversarial=generator_losses[case.loss](nets.d(fake)), stats={"g": stats})

    optimizer = optax.adam(2e-4, b1=case.beta1) if optimizer is None else optimizer
    players = {"d": Player(("d",), discriminator_loss, optimizer), "g": Player(("g",), generator_loss, optimizer)}
    return Game(
        nets={
            "g": Net(generator, jnp.zeros((1, case.latents))),
            "d": Net(discriminator, jnp.zeros((1, *case.shape))),
        },
        players=players if case.generator else {"d": players["d"]},
        turns=(("d",),) * case.turns + (("g",),) * case.generator,
    )

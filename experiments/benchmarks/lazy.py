"""What R1 costs: in every step, in every 16th by a branch, in every 16th by another game, and not at all.

python -m experiments.benchmarks.lazy

The default experiment's networks and batch, under jit, in turn, in one process. A step is the mean of sixteen.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import tyro

from experiments import dcgan
from experiments.benchmarks.paired import call_timer, race
from jaxgan import Game, Player, latents, losses, total
from jaxgan.data import Batches
from jaxgan.training.steps import prepare

_INTERVAL = 16


def main(rounds: int = 15) -> None:
    """Compare, and print.

    Args:
      rounds: each times every form once, for sixteen steps.
    """
    plain, penalised, branch = _game("never"), _game("always"), _game("branch")
    race(
        {
            "no penalty": _timer(lambda step: plain),
            "every step": _timer(lambda step: penalised),
            "every 16th, a branch": _timer(lambda step: branch),
            "every 16th, another game": _timer(lambda step: plain if step % _INTERVAL else penalised),
        },
        rounds,
    )


def _game(when: str) -> Game:
    """The default experiment's, with R1 ``never``, ``always``, or by a ``branch``."""
    config = dcgan.Config()
    usual = dcgan.build(config).game.unwrapped

    def loss(nets, batch, keys, step):
        real = batch["image"]
        real_logits, stats = nets.d.with_stats(real)
        fake_logits = nets.d(nets.g(latents(keys, config.z_dim)))
        terms: dict[str, Any] = {"adversarial": losses.non_saturating_discriminator(real_logits, fake_logits)}

        def r1():
            return 0.5 * losses.r1(nets.d, real)

        if when == "always":
            terms["r1"] = r1()
        if when == "branch":
            terms["r1"] = losses.lazy(_INTERVAL, step, r1)
        return total(**terms, stats={"d": stats})

    return Game(usual.nets, {**usual.players, "d": Player(("d",), loss, usual.players["d"].optimizer)}, usual.turns)


def _timer(game_at: Callable[[int], Game]) -> Callable[[], float]:
    """A function that takes sixteen steps and returns the seconds of one."""
    source = dcgan.build(dcgan.Config()).source
    batch = jax.tree.map(np.asarray, prepare(None, Batches(source, 64, 0)[0]))
    state = jax.jit(game_at(0).init)(jax.random.key(0))
    compiled = {
        game: jax.jit(game.step, donate_argnums=0).lower(state, batch).compile() for game in {game_at(0), game_at(1)}
    }
    return call_timer(lambda state, i: compiled[game_at(i)](state, batch), state, _INTERVAL, _INTERVAL)


if __name__ == "__main__":
    tyro.cli(main)

"""Measure the cost of R1 in a training step: in every step, and in every 16th step (lazy R1).

    python -m experiments.benchmarks.lazy

Lazy R1 is computed in two ways: by a branch in the compiled step (``losses.lazy``), and by two compiled games, one with
R1 and one without it. The networks, the optimizers and the batch are the same as in ``experiments.dcgan`` with its
default settings. A game without R1 is timed for comparison. These four forms run under jit in one process, in
alternating order. Times are means over sixteen steps.
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

_INTERVAL = 16  # number of steps from one step with lazy R1 to the next


def main(rounds: int = 15) -> None:
    """Time a step with each form of R1, and print a table.

    Args:
      rounds: number of rounds. In each round, every form computes sixteen steps.
    """
    plain, penalised, branch = _game("never"), _game("always"), _game("branch")
    race(
        {
            "no R1": _timer(lambda step: plain),
            "every step": _timer(lambda step: penalised),
            "every 16th step, branch": _timer(lambda step: branch),
            "every 16th step, two games": _timer(lambda step: plain if step % _INTERVAL else penalised),
        },
        rounds,
    )


def _game(when: str) -> Game:
    """Create the game.

    Args:
      when: ``never`` for a game without R1, ``always`` for R1 in every step, or ``branch`` for lazy R1 with a branch.
    """
    config = dcgan.Config()
    default = dcgan.build(config).game.unwrapped

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

    discriminator = Player(("d",), loss, default.players["d"].optimizer)
    return Game(default.nets, {**default.players, "d": discriminator}, default.turns)


def _timer(game_at: Callable[[int], Game]) -> Callable[[], float]:
    """Return a function that computes sixteen steps and returns the mean time of one step in seconds.

    Args:
      game_at: function from the index of a step to the game that computes this step.
    """
    source = dcgan.build(dcgan.Config()).source
    batch = jax.tree.map(np.asarray, prepare(None, Batches(source, 64, 0)[0]))
    state = jax.jit(game_at(0).init)(jax.random.key(0))
    compiled = {
        game: jax.jit(game.step, donate_argnums=0).lower(state, batch).compile() for game in {game_at(0), game_at(1)}
    }
    return call_timer(lambda state, i: compiled[game_at(i)](state, batch), state, _INTERVAL, _INTERVAL)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)

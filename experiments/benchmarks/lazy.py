"""Measure the time and the memory of lazy R1: a penalty that is computed in every 16th step.

    python -m experiments.benchmarks.lazy                                       # the default game of dcgan
    python -m experiments.benchmarks.lazy --model stylegan2 --size 64           # StyleGAN2's discriminator
    python -m experiments.benchmarks.lazy --model stylegan2 --size 256 --batch 4 --channel-base 16384 \\
        --channel-max 512 --rounds 0                                            # memory only

The program compares these forms of the training step:

- no R1: a step without the penalty.
- every step: the penalty is computed in each step.
- differentiated branch: JAX differentiates a branch of the compiled step. Both branches then return the activations
  that the gradient needs.
- recomputed branch: as above, with ``jax.checkpoint`` in the branch.
- losses.lazy: the branch computes the gradient together with the penalty.
- two games: two compiled steps, with and without the penalty.

All forms run in one process, in alternating order, on the same batch. Memory is the temporary memory of the compiled
step: arrays that are neither arguments nor results. For two games it is the larger of both. The other columns are the
processor time of the compilation, and the median time of a step without and of a step with the penalty.
"""

import time
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro
from rich.console import Console
from rich.table import Table

from experiments import dcgan
from jaxgan import Game, Net, Player, latents, losses, total
from jaxgan.core import system
from jaxgan.core.lazy import LazyTerm
from jaxgan.data import Batches
from jaxgan.models import stylegan2
from jaxgan.training.steps import prepare

_INTERVAL = 16  # number of steps from one step with lazy R1 to the next
_DUE = (1, 0)  # indices of the steps that are timed: a step without and a step with the penalty


def main(
    model: Literal["dcgan", "stylegan2"] = "dcgan",
    size: int = 64,
    batch: int = 8,
    channel_base: int = 2048,
    channel_max: int = 128,
    rounds: int = 15,
    forms: tuple[str, ...] = (),
) -> None:
    """Compile a step with each form of R1, time steps without and with the penalty, and print a table.

    Args:
      model: ``dcgan`` for the default game of the experiment, or ``stylegan2`` for the turn of the discriminator.
      size: height and width of StyleGAN2's images in pixels.
      batch: number of StyleGAN2's images in a step.
      channel_base: number of channels of a layer of StyleGAN2, multiplied by its height in pixels.
      channel_max: maximum number of channels of a layer of StyleGAN2.
      rounds: number of rounds. In each round, every form computes one step of each kind. 0 measures memory only.
      forms: the forms to compare. By default, all forms.
    """

    def build(penalty):
        return _dcgan(penalty) if model == "dcgan" else _stylegan2(penalty, size, batch, channel_base, channel_max)

    steps = {
        name: _Steps(build, penalties, rounds > 0) for name, penalties in _FORMS.items() if name in (forms or _FORMS)
    }
    for turn in range(rounds):
        for name in steps if turn % 2 else reversed(steps):
            steps[name].measure()
    title = f"{system.hardware()}, jax {system.versions()['jax']}"
    columns = ("form", "memory, MB", "compilation, s", "ms, no penalty", "ms, penalty", "mean ms", "mean processor ms")
    table = Table(*columns, title=title)
    for name, each in steps.items():
        table.add_row(name, f"{each.memory / 1e6:.1f}", f"{each.compile_seconds:.1f}", *each.cells())
    Console(width=110).print(table)


class _Steps:
    """The compiled steps of a form.

    Args:
      build: function from a penalty to a game and a batch.
      penalties: the penalties of the steps without and with R1.
      runs: whether the steps will be timed.
    """

    def __init__(self, build: Callable, penalties: tuple[Callable, Callable], runs: bool):
        games = {penalty: build(penalty) for penalty in dict.fromkeys(penalties)}
        game, self._batch = games[penalties[0]]
        state = jax.eval_shape(game.init, jax.random.key(0))
        started = time.process_time()
        compiled = {
            penalty: jax.jit(game.step).lower(state, self._batch).compile() for penalty, (game, _) in games.items()
        }
        self.compile_seconds = time.process_time() - started
        self.memory = max(_temporary_bytes(step) for step in compiled.values())
        self._steps = {step: compiled[penalty] for step, penalty in zip(_DUE, penalties)}
        self._times: dict[int, list] = {step: [] for step in _DUE}
        if runs:
            self._state = jax.jit(game.init)(jax.random.key(0))
            self.measure()  # not counted
            self._times = {step: [] for step in _DUE}

    def measure(self) -> None:
        """Compute one step of each kind, and record its time and its processor time."""
        for step, compiled in self._steps.items():
            state = self._state.replace(step=jnp.int32(step))
            wall, processor = time.perf_counter(), time.process_time()
            jax.block_until_ready(compiled(state, self._batch))
            self._times[step].append((time.perf_counter() - wall, time.process_time() - processor))

    def cells(self) -> list[str]:
        """Return the median milliseconds of both kinds of steps, and the means over all steps of a training."""
        if not self._times[0]:
            return ["-"] * 4
        (plain, plain_cpu), (due, due_cpu) = (1e3 * np.median(self._times[step], 0) for step in _DUE)
        means = [(_INTERVAL - 1) / _INTERVAL * a + b / _INTERVAL for a, b in ((plain, due), (plain_cpu, due_cpu))]
        return [f"{x:.2f}" for x in (plain, due, *means)]


def _temporary_bytes(compiled: Any) -> int:
    return compiled.memory_analysis().temp_size_in_bytes


def _never(step, term):
    return 0.0


def _always(step, term):
    return term()


def _differentiated(step, term):
    due = step % _INTERVAL == 0
    shape = jax.eval_shape(term)
    value = jax.lax.cond(due, lambda: _INTERVAL * term(), lambda: jnp.zeros(shape.shape, shape.dtype))
    return LazyTerm(value.mean(), due)


def _recomputed(step, term):
    return _differentiated(step, jax.checkpoint(term))


def _lazy(step, term):
    return losses.lazy(_INTERVAL, step, term)


_FORMS = {
    "no R1": (_never, _never),
    "every step": (_always, _always),
    "differentiated branch": (_differentiated, _differentiated),
    "recomputed branch": (_recomputed, _recomputed),
    "losses.lazy": (_lazy, _lazy),
    "two games": (_never, _always),
}


def _dcgan(penalty: Callable) -> tuple[Game, Any]:
    """Create the default game of ``experiments.dcgan`` with R1, and a batch.

    Args:
      penalty: function ``(step, term)`` that decides when the term is computed, and returns it.
    """
    config = dcgan.Config()
    experiment = dcgan.build(config)
    default = experiment.game.unwrapped

    def loss(nets, batch, keys, step):
        real = batch["image"]
        real_logits, stats = nets.d.with_stats(real)
        fake_logits = nets.d(nets.g(latents(keys, config.z_dim)))
        adversarial = losses.non_saturating_discriminator(real_logits, fake_logits)
        r1 = penalty(step, lambda: 0.5 * losses.r1(nets.d, real))
        return total(adversarial=adversarial, r1=r1, stats={"d": stats})

    discriminator = Player(("d",), loss, default.players["d"].optimizer)
    game = Game(default.nets, {**default.players, "d": discriminator}, default.turns)
    return game, jax.tree.map(np.asarray, prepare(None, Batches(experiment.source, 64, 0)[0]))


def _stylegan2(penalty: Callable, size: int, batch: int, base: int, channel_max: int) -> tuple[Game, Any]:
    """Create a game in which StyleGAN2's discriminator learns to tell real images from fixed ones, and a batch.

    Args:
      penalty: function ``(step, term)`` that decides when the term is computed, and returns it.
      size: height and width of the images in pixels.
      batch: number of images in a step.
      base: number of channels of a layer, multiplied by its height in pixels.
      channel_max: maximum number of channels of a layer.
    """

    def loss(nets, batch, keys, step):
        real_logits, fake_logits = nets.d(batch["image"]), nets.d(batch["fake"])
        adversarial = losses.non_saturating_discriminator(real_logits, fake_logits)
        return total(adversarial=adversarial, r1=penalty(step, lambda: 0.5 * losses.r1(nets.d, batch["image"])))

    network = stylegan2.Discriminator(channel_base=base, channel_max=channel_max)
    images = np.random.default_rng(0).normal(size=(2, batch, size, size, 3)).astype(np.float32)
    game = Game({"d": Net(network, images[0])}, {"d": Player(("d",), loss, optax.adam(1e-3))}, (("d",),))
    return game, {"image": images[0], "fake": images[1]}


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)

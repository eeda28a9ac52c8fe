"""Time a game in this process with jaxgan or with PyTorch, or compare the losses and gradients of these two sides.

    python -m experiments.benchmarks.worker dcgan32 jaxgan
    python -m experiments.benchmarks.worker dcgan32 torch --form "compiled, default"
    python -m experiments.benchmarks.worker dcgan32 agree

``experiments.benchmarks.against_pytorch`` starts this program for each measurement. The last line that it prints is a
JSON object with the results.
"""

# pyright: reportMissingImports=false

import dataclasses
import json
import time
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

from experiments.benchmarks import flops
from experiments.benchmarks.games import CASES, Case, Name, build
from jaxgan import Game, State, parallel
from jaxgan.cli import doctor
from jaxgan.core import system
from jaxgan.core.keys import example_keys, latents
from jaxgan.training.steps import MAX_STEPS_PER_CALL
from jaxgan.training.write_schedule import MAX_CALL_SECONDS

SAMPLE_COUNTS = (1, 64, 1024)  # numbers of samples to generate in one call; each is timed separately
AGREE_TO = 1e-5  # limit for the relative differences of losses and gradients between the two sides
_AGREE_BATCH = 4  # number of examples per turn when losses and gradients are compared
_MAX_SEEDS = 10  # maximum number of seeds to try until the losses and gradients of both sides agree
_EXAMPLES = 10_000  # number of examples in the data set from which batches are selected
# A form is a way to run the training step. The dictionary maps each form of jaxgan to its number of steps per call.
# With None, a call computes a single step without a loop.
JAXGAN_FORMS = {"one step a call": None, "ten a call": MAX_STEPS_PER_CALL}
# The dictionary maps each form of PyTorch to the arguments of ``torch_games.Step`` that select it.
TORCH_FORMS = {
    "eager": {"channels_last": True},
    "eager, channels first": {"channels_last": False},
    "compiled, default": {"compile": "default"},
    "compiled, reduce-overhead": {"compile": "reduce-overhead"},
    "compiled, max-autotune": {"compile": "max-autotune"},
}


def main(
    game: tyro.conf.Positional[Name],
    side: tyro.conf.Positional[Literal["jaxgan", "torch", "agree"]],
    form: str | None = None,
    seconds: float = 4.0,
    precision: Literal["float32", "tf32"] = "float32",
) -> None:
    """Measure one side, or compare the two sides.

    Args:
      game: game to measure.
      side: "jaxgan" or "torch" times this side, and "agree" compares the losses and gradients of one step.
      form: way to run the training step on this side, for example "ten a call". By default, jaxgan takes one step per
        call, and PyTorch runs in eager mode.
      seconds: number of seconds for which steps are timed, after a warm-up.
      precision: precision of matrix products and convolutions. TF32 requires hardware that supports it.
    """
    case = CASES[game]
    jax.config.update("jax_default_matmul_precision", {"float32": "highest", "tf32": "default"}[precision])
    if side == "agree":
        result = agreement(game)
    elif side == "jaxgan":
        result = _measure_jaxgan(case, form or "one step a call", seconds)
    else:
        result = _measure_torch(game, form or "eager", seconds, precision)
    print(json.dumps({**result, "load": system.load_average()}))


def _measure_jaxgan(case: Case, form: str, seconds: float) -> dict[str, Any]:
    """Measure jaxgan.

    Args:
      case: the game to measure.
      form: a key of ``JAXGAN_FORMS``.
      seconds: number of seconds for which steps are timed.

    Returns:
      A dict with these entries:
        compile_s, first_step_s: time of the compilation and of the first step in seconds.
        ms: milliseconds per step, with the same batch in every step.
        with_data_ms: milliseconds per step as in a training run, which selects each batch from the data.
        peak_mb: peak memory in MB.
        sample_{count}_ms: milliseconds to generate ``count`` samples.
        product_gflops, convolution_gflops: speed of a large matrix product, and of the discriminator's largest
          convolution, in GFLOP/s.
    """
    system.keep_freed_memory()
    game = build(case)
    size = case.batch * game.batch_multiple
    real = jnp.array(np.random.default_rng(0).normal(size=(size, *case.shape)), jnp.float32)
    state = game.init(jax.random.key(0))
    on, together = parallel.devices(1), JAXGAN_FORMS[form]
    steps = together or 1
    started = time.perf_counter()
    if together:
        call, real = parallel.pmap(game, on, max_steps=together), jnp.stack([real] * together)
        compiled = started  # compilation is part of the first step
    else:
        call = jax.jit(game.step, donate_argnums=0).lower(state, real).compile()
        compiled = time.perf_counter()
    state, metrics = jax.block_until_ready(call(state, real))
    first = time.perf_counter()

    def train(count):
        nonlocal state, metrics
        for _ in range(count):
            state, metrics = call(state, real)
        jax.block_until_ready(metrics)

    result: dict[str, Any] = {
        "compile_s": None if together else compiled - started,
        "first_step_s": first - compiled,
        "ms": steady_ms(train, seconds) / steps,
    }

    data = np.random.default_rng(1).normal(size=(_EXAMPLES, *case.shape)).astype(np.float32)

    def prepare(data, rows):
        return data[rows]

    # As in a training run, limit the number of steps per call so that a call takes at most about one second.
    at_once = max(1, min(MAX_STEPS_PER_CALL, int(1e3 * MAX_CALL_SECONDS / result["ms"])))
    picked = parallel.pmap(game, on, prepare=prepare, resident=data, max_steps=at_once)
    other = parallel.replicate(game.init(jax.random.key(0)), on)
    rng = np.random.default_rng(2)

    def train_on_data(count):
        nonlocal other, metrics
        for _ in range(count):
            other, metrics = picked(other, rng.integers(_EXAMPLES, size=(at_once, size), dtype=np.int32))
        jax.block_until_ready(metrics)

    result["with_data_ms"] = steady_ms(train_on_data, seconds) / at_once
    result["peak_mb"] = _peak(jax.local_devices()[0])
    result |= _measure_sampling(game, state, case.latents)
    result["product_gflops"], result["convolution_gflops"] = _ceilings(case)
    return result


def _measure_sampling(game: Game, state: State, latents: int) -> dict[str, float]:
    """Return the entries ``sample_{count}_ms`` of ``_measure_jaxgan``."""
    draw = jax.jit(lambda state, z: game.functions(state, ema=False).g(z))
    result = {}
    for count in SAMPLE_COUNTS:
        z = jax.random.normal(jax.random.key(1), (count, latents))
        result[f"sample_{count}_ms"] = steady_ms(
            lambda n, z=z: [draw(state, z).block_until_ready() for _ in range(n)], 0.5
        )
    return result


def _measure_torch(name: str, form: str, seconds: float, precision: str) -> dict[str, Any]:
    """Measure PyTorch.

    Args:
      name: name of the game, a key of ``CASES``.
      form: a key of ``TORCH_FORMS``.
      seconds: number of seconds for which steps are timed.
      precision: ``float32`` or ``tf32``.

    Returns:
      The same entries as for jaxgan, without ``product_gflops`` and ``convolution_gflops``.
    """
    import torch

    from experiments.benchmarks.torch_games import Step, networks

    torch.manual_seed(0)
    torch.set_float32_matmul_precision({"float32": "highest", "tf32": "high"}[precision])
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.benchmark = True
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_default_device(device)
    case, step = CASES[name], Step(CASES[name], networks(name), **TORCH_FORMS[form])
    shape = case.shape if len(case.shape) < 3 else (case.shape[2], *case.shape[:2])

    def shaped(x):
        return x.to(memory_format=step.layout) if x.ndim == 4 else x

    def wait():
        if device == "cuda":
            torch.cuda.synchronize()

    reals = [shaped(torch.randn(case.batch, *shape)) for _ in range(case.turns)]

    def one(reals):
        z = [torch.randn(case.batch, case.latents) for _ in reals]
        step([real.detach() for real in reals], z, [torch.rand(case.batch) for _ in reals])

    started = time.perf_counter()
    one(reals)
    wait()
    first = time.perf_counter()

    def train(count):
        for _ in range(count):
            one(reals)
        wait()

    result: dict[str, Any] = {"compile_s": None, "first_step_s": first - started, "ms": steady_ms(train, seconds)}
    data = shaped(torch.randn(_EXAMPLES, *shape))

    def train_on_data(count):
        for _ in range(count):
            one([shaped(data[torch.randint(_EXAMPLES, (case.batch,))]) for _ in range(case.turns)])
        wait()

    result["with_data_ms"] = steady_ms(train_on_data, seconds)
    on_cuda = device == "cuda"
    result["peak_mb"] = (torch.cuda.max_memory_allocated() if on_cuda else system.peak_memory_bytes() or 0) / 1e6
    step.nets["g"].train(False)
    with torch.inference_mode():
        for count in SAMPLE_COUNTS:
            z = torch.randn(count, case.latents)

            def draw(n, z=z):
                for _ in range(n):
                    step.g(z)
                wait()

            result[f"sample_{count}_ms"] = steady_ms(draw, 0.5)
    return result


def steady_ms(run: Callable[[int], Any], seconds: float) -> float:
    """Time steps after a warm-up, and return the milliseconds per step. The result is the median over blocks of steps.

    Args:
      run: function ``(count) -> None`` that computes ``count`` steps and waits for their results.
      seconds: number of seconds to measure. A block takes about a tenth of this time, and at least three blocks are
        timed.
    """
    run(2)
    started = time.perf_counter()
    run(1)
    count = max(1, int(seconds / 10 / max(time.perf_counter() - started, 1e-6)))
    run(count)
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        started = time.perf_counter()
        run(count)
        times.append((time.perf_counter() - started) / count)
    return 1e3 * float(np.median(times))


def agreement(name: str) -> dict[str, Any]:
    """Compare the losses and gradients that both sides compute in one step from equal weights, latents and batches.

    If the input of a ReLU is 0 except for a rounding error, the gradient may pass the ReLU on one side and not on the
    other side. The difference is then large although both sides are correct. Therefore several seeds are tried, one
    after the other, until the sides agree. Sides with different losses or networks disagree for every seed. The batch
    is small, because a small batch has fewer such inputs. A small batch also limits the rounding error in the gradient
    of a bias before BatchNorm, which is 0 in exact arithmetic.

    Returns:
      A dictionary with the result for the seed with the smallest difference: the relative difference of each loss, the
      difference of each network's gradients, the largest of these differences as ``difference``, and the seed. The
      difference of a network's gradients is computed for the parameter with the largest difference. It is the norm of
      the difference of this parameter's gradients, divided by the norm of the network's gradient.
    """
    tried = []
    for seed in range(_MAX_SEEDS):
        tried.append(_agreement(dataclasses.replace(CASES[name], batch=_AGREE_BATCH), name, seed))
        if tried[-1]["difference"] <= AGREE_TO:
            break
    return min(tried, key=lambda x: x["difference"])


def _agreement(case: Case, name: str, seed: int) -> dict[str, Any]:
    """Compare the two sides for one seed.

    Both sides use gradient descent, so that the second turn of a step starts from weights that the first turn changed.
    """
    import torch

    from experiments.benchmarks.torch_games import Step, load, named, networks

    rate = 1e-4
    game = build(case, record_gradients(rate))
    state = game.init(jax.random.key(seed))
    real = np.random.default_rng(seed).normal(size=(case.batch * case.turns, *case.shape)).astype(np.float32)
    moved, metrics = jax.jit(game.step)(state, real)
    z, places = _draws(case, state, jnp.array(real))

    nets = networks(name)
    with torch.no_grad():
        load(nets, state.params)
    step = Step(case, nets, lambda p: torch.optim.SGD(p, rate), channels_last=False)
    slices = [real[i :: case.turns] for i in range(case.turns)]
    slices = [np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if x.ndim == 4 else x for x in slices]
    losses = step([torch.tensor(x) for x in slices], [torch.tensor(x) for x in z], [torch.tensor(x) for x in places])
    differences = {}
    for side in game.players:
        net = nets[side]
        theirs = {key: p.grad.numpy() for key, p in net.named_parameters() if p.grad is not None}
        ours = named(side, net, moved.opt_states[side][side])
        if ours.keys() != theirs.keys():
            only_one = sorted(ours.keys() ^ theirs.keys())
            raise ValueError(f"{name}: These parameters exist on only one side: {', '.join(only_one)}.")
        norm = np.sqrt(sum(np.square(x).sum() for x in theirs.values()))
        differences[f"{side}_gradient"] = max(float(np.linalg.norm(ours[key] - theirs[key]) / norm) for key in theirs)
        if side == "g" or case.turns == 1:  # with several turns, jaxgan logs the mean loss, PyTorch's side the last
            loss = float(losses[side])
            differences[f"{side}_loss"] = abs(float(metrics[f"{side}/loss"]) - loss) / max(abs(loss), 1)
    return {"difference": max(differences.values()), "seed": seed, **differences}


def record_gradients(rate: float) -> optax.GradientTransformation:
    """Create an optimizer that does gradient descent and stores the last gradient as its state.

    Args:
      rate: the learning rate.
    """

    def init(params):
        return jax.tree.map(jnp.zeros_like, params)

    def update(updates, state, params=None):
        return jax.tree.map(lambda g: -rate * g, updates), updates

    return optax.GradientTransformation(init, update)


def _draws(case: Case, state, real):
    """Compute the random numbers that jaxgan draws in each turn of the discriminator, as NumPy arrays.

    Returns:
      The latents of each turn, and the interpolation weights of each turn's gradient penalty.
    """
    step_key = jax.random.fold_in(state.key, state.step)
    z, places = [], []
    for turn in range(case.turns):
        keys = example_keys(jax.random.fold_in(step_key, turn), real[turn :: case.turns])
        z.append(np.asarray(latents(keys, case.latents)))
        places.append(np.asarray(jax.vmap(lambda key: jax.random.uniform(jax.random.fold_in(key, 1), ()))(keys)))
    return z, places


def _ceilings(case: Case) -> tuple[float, float | None]:
    """Measure the speed of a large matrix product and of the discriminator's largest convolution, in GFLOP/s.

    The second result is None if the discriminator has no convolutions.
    """
    product = doctor.product_gflops()
    largest = flops.largest_convolution(case)
    return product, None if largest is None else doctor.convolution_gflops(*largest)


def _peak(device: Any) -> float:
    """Return the peak memory in MB, of the device if JAX reports it, and of this process otherwise."""
    stats = device.memory_stats()
    return (stats["peak_bytes_in_use"] if stats else system.peak_memory_bytes() or 0) / 1e6


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)

"""Compare the speed of CycleGAN's training step in jaxgan and in the authors' PyTorch code, on this machine.

    pip install -e '.[torch]'
    git clone https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix official
    python -m experiments.benchmarks.cyclegan --official official

The two implementations are called sides, and a form is a way to run the training step on one side. Both sides have the
same networks, initial weights, batch, losses and optimizers, and a pool of 50 generated images. First, the program
checks that the losses of one step without the pool agree. Then each form is timed. The forms of PyTorch are the
authors' training step unchanged ("as it is"), with channels last, and with compiled networks. The forms of jaxgan are
one step per call, and ten steps per call as in a training run. Finally, the fastest form of each side is timed in pairs
of new processes, as in ``against_pytorch``.
"""

# pyright: reportMissingImports=false

import argparse
import contextlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
import tyro

from experiments import cyclegan
from experiments.benchmarks import processes
from experiments.benchmarks.worker import steady_ms
from jaxgan import parallel
from jaxgan.core import system
from jaxgan.data import Arrays, Unpaired
from jaxgan.interop import pix2pix
from jaxgan.training.steps import MAX_STEPS_PER_CALL

_NAME = "experiments.benchmarks.cyclegan"
_FORMS = {"jaxgan": ("one step a call", "ten steps a call"), "torch": ("as it is", "channels last", "compiled")}
_AGREE_TO = 1e-4  # limit for the relative difference of a loss between the two sides
# Maps jaxgan's networks to the authors' networks. For example, both d_b and D_A classify images of domain B.
_NETS = {"g_ab": "G_A", "g_ba": "G_B", "d_a": "D_B", "d_b": "D_A"}
# Maps the authors' losses to jaxgan's losses.
_TERMS = {
    "G_A": "g/adversarial_ab", "G_B": "g/adversarial_ba", "cycle_A": "g/cycle_a", "cycle_B": "g/cycle_b",
    "idt_A": "g/identity_b", "idt_B": "g/identity_a", "D_A": "d/adversarial_b", "D_B": "d/adversarial_a",
}  # fmt: skip


def main(
    official: str,
    side: Literal["both", "jaxgan", "torch", "agree"] = "both",
    form: str = "",
    size: int = 128,
    width: int = 64,
    blocks: int = 6,
    batch: int = 1,
    pairs: int = 3,
    seconds: float = 20.0,
) -> None:
    """Compare the two sides, or measure one of them.

    Args:
      official: directory with the authors' code.
      side: "both" times both sides, "jaxgan" or "torch" times this side in this process, and "agree" compares the
        losses of one step.
      form: form to time. With --side jaxgan, it is "one step a call" (the default) or "ten steps a call". With --side
        torch, it is "as it is" (the default), "channels last" or "compiled".
      size: height and width of the images in pixels.
      width: number of channels of the first layers.
      blocks: number of residual blocks of a generator, 6 or 9.
      batch: number of images of each domain in a batch.
      pairs: number of pairs of processes, one of jaxgan and one of PyTorch.
      seconds: number of seconds for which each process times its steps.
    """
    if not (Path(official) / "models" / "cycle_gan_model.py").exists():
        sys.exit(
            f"error: --official {official} has no file models/cycle_gan_model.py. Clone the authors' code as shown by "
            "--help."
        )
    config = cyclegan.Config(
        batch_size=batch, resolution=size, g_channels=width, d_channels=width, num_blocks=blocks,
        n_layers_d=3, upsample="transposed", pool_size=0 if side == "agree" else 50, jitter=False, mirror=False,
    )  # fmt: skip
    processes.check_form(form, side, _FORMS)
    if side == "agree":
        print(json.dumps({"difference": _agreement(config, official)}))
    elif side != "both":
        ms = (
            _measure_jaxgan(config, form, seconds)
            if side == "jaxgan"
            else _measure_torch(config, official, form, seconds)
        )
        print(json.dumps({"ms": ms}))
    else:
        flags = ["--official", official]
        for name, value in {"size": size, "width": width, "blocks": blocks, "batch": batch}.items():
            flags += [f"--{name}", str(value)]
        race = processes.race_implementations(_NAME, flags, _FORMS, _AGREE_TO, pairs, seconds)
        title = f"CycleGAN, {size} x {size}, {blocks} blocks, {width} channels, batch size {batch}"
        print(processes.format_race(title, race))


def _noise_images(config: cyclegan.Config) -> dict[str, np.ndarray]:
    """Return a batch of noise: ``input`` (domain A) and ``image`` (domain B), each [B, size, size, 3] in [-1, 1]."""
    rng = np.random.default_rng(0)
    assert config.resolution is not None
    shape = (config.batch_size, config.resolution, config.resolution, 3)
    return {name: rng.uniform(-1, 1, shape).astype(np.float32) for name in ("input", "image")}


def _game(config: cyclegan.Config) -> Any:
    """Create jaxgan's game."""
    images = _noise_images(config)
    return cyclegan.build(config, Unpaired(Arrays(images["image"]), Arrays(images["input"]))).game


def _measure_jaxgan(config: cyclegan.Config, form: str, seconds: float) -> float:
    """Return the milliseconds per step of jaxgan."""
    system.keep_freed_memory()
    game, batch = _game(config), _noise_images(config)
    steps = MAX_STEPS_PER_CALL if form == _FORMS["jaxgan"][1] else 1
    batches = jax.device_put({name: np.stack([x] * steps) for name, x in batch.items()})
    on = parallel.devices(1)
    state, metrics = parallel.replicate(jax.jit(game.init)(jax.random.key(0)), on), None
    step = parallel.pmap(game, on, max_steps=steps)

    def train(count):
        nonlocal state, metrics
        for _ in range(count):
            state, metrics = step(state, batches)
        jax.block_until_ready(metrics)

    return steady_ms(train, seconds) / steps


def _measure_torch(config: cyclegan.Config, official: str, form: str, seconds: float) -> float:
    """Return the milliseconds per step of the authors' code."""
    import torch

    model, layout = _official_model(config, official), torch.contiguous_format
    for name in _NETS.values():
        net = getattr(model, f"net{name}")
        if form == "channels last":
            layout = torch.channels_last
            net.to(memory_format=layout)
        if form == "compiled":
            setattr(model, f"net{name}", torch.compile(net))
    batch = {name: x.to(memory_format=layout) for name, x in _torch_batch(config).items()}

    def train(count):
        for _ in range(count):
            model.set_input({**batch, "A_paths": [], "B_paths": []})
            model.optimize_parameters()

    return steady_ms(train, seconds)


def _torch_batch(config: cyclegan.Config) -> dict[str, Any]:
    """Return the batch with the authors' names: ``A`` is the input and ``B`` the image, each [B, 3, size, size]."""
    import torch

    images = _noise_images(config)
    return {
        theirs: torch.from_numpy(images[ours].transpose(0, 3, 1, 2).copy())
        for theirs, ours in {"A": "input", "B": "image"}.items()
    }


def _official_model(config: cyclegan.Config, official: str) -> Any:
    """Create the authors' model with the settings of ``config``, and with the authors' defaults for other options."""
    sys.path.insert(0, official)
    from models.cycle_gan_model import CycleGANModel

    options = argparse.Namespace(
        gpu_ids=[], device="cpu", isTrain=True, checkpoints_dir=tempfile.gettempdir(), name="benchmark",
        preprocess="none", direction="AtoB", input_nc=3, output_nc=3, ngf=config.g_channels,
        ndf=config.d_channels, netG=f"resnet_{config.num_blocks}blocks", netD="basic", n_layers_D=3,
        norm="instance", no_dropout=True, init_type="normal", init_gain=0.02, lr=config.learning_rate,
        beta1=config.beta1, lambda_A=config.lambda_cycle, lambda_B=config.lambda_cycle,
        lambda_identity=config.lambda_identity, pool_size=config.pool_size, gan_mode="lsgan", lr_policy="linear",
        n_epochs=100, n_epochs_decay=100, epoch_count=1, continue_train=False, verbose=False,
    )  # fmt: skip
    with contextlib.redirect_stdout(sys.stderr):
        model = CycleGANModel(options)
        model.setup(options)
    return model


def _agreement(config: cyclegan.Config, official: str) -> float:
    """Return the largest relative difference between the losses of one step that starts from the same weights."""
    import torch

    game, model = _game(config), _official_model(config, official)
    state = jax.jit(game.init)(jax.random.key(0))
    for ours, theirs in _NETS.items():
        arrays = pix2pix.to_torch({"params": state.params[ours], **state.stats[ours]})
        net = getattr(model, f"net{theirs}")
        net.load_state_dict({name: torch.from_numpy(value) for name, value in arrays.items()})
    _, metrics = jax.jit(game.step)(state, _noise_images(config))
    model.set_input({**_torch_batch(config), "A_paths": [], "B_paths": []})
    model.optimize_parameters()
    losses = model.get_current_losses()
    return max(abs(float(metrics[ours]) / losses[theirs] - 1) for theirs, ours in _TERMS.items())


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)

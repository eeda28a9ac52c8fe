"""Corrections for misspelt names, and for flags and commands of other tools.

The tables have the names that are used in PyTorch's examples, the StyleGAN programs, pytorch-CycleGAN-and-pix2pix,
StudioGAN and PyTorch-GAN. A value without a space is the name of a field here, or of a command; other values are
sentences.
"""

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

_EPOCHS = (
    "training is counted in steps, not in epochs: --steps is the epochs times the number of examples, divided by "
    "--batch-size."
)
_KIMG = "training is counted in steps: --steps is the thousands of images times 1000, divided by --batch-size."
_DEVICES = (
    "JAX uses all accelerators that it finds: --devices N takes fewer, and the environment variable "
    "CUDA_VISIBLE_DEVICES or JAX_PLATFORMS chooses them."
)
_WORKERS = "batches are read ahead in the same process, so there are no workers to count; leave it out."
_RESUME = "a run goes on by itself when its command is repeated; jaxgan resume RUN does it with the run's own settings."
_WIDTHS = "the widths are --g-channels and --d-channels where an experiment has them; see --help."
_MIXED = "--compute-dtype bfloat16 computes in half precision."
_SEEDS = "--seed takes one number, and --count is how many samples are drawn with it."

_SETTINGS = "--preset NAME takes published settings, and --config FILE those of a file; see --help."
_LOGS = "metrics are written to metrics.jsonl and tensorboard/ in the run's directory."

# Flags that people put before the name of an experiment.
FLAGS_OF_NAMES = ("--model", "--arch", "--experiment", "--exp", "--gan", "-m")

# By the flag in lower case, with hyphens, without those before it.
HABITS: dict[str, str] = {
    "lr": "learning_rate",
    "learning-rate-g": "learning_rate",
    "glr": "learning_rate",
    "dlr": "learning_rate",
    "epochs": _EPOCHS,
    "epoch": _EPOCHS,
    "n-epochs": _EPOCHS,
    "num-epochs": _EPOCHS,
    "niter": _EPOCHS,
    "max-epochs": _EPOCHS,
    "kimg": _KIMG,
    "iterations": "steps",
    "iters": "steps",
    "max-iter": "steps",
    "total-step": "steps",
    "num-steps": "steps",
    "batch": "batch_size",
    "bs": "batch_size",
    "b": "batch_size",
    "batchsize": "batch_size",
    "minibatch": "batch_size",
    "gpu": _DEVICES,
    "gpus": _DEVICES,
    "gpu-ids": _DEVICES,
    "cuda": _DEVICES,
    "device": _DEVICES,
    "ngpu": _DEVICES,
    "ddp": _DEVICES,
    "cpu": "JAX uses the CPU where it finds no accelerator; the environment variable JAX_PLATFORMS=cpu enforces it.",
    "resume": _RESUME,
    "continue": _RESUME,
    "continue-train": _RESUME,
    "load": _RESUME,
    "ckpt": _RESUME,
    "checkpoint": _RESUME,
    "workers": _WORKERS,
    "num-workers": _WORKERS,
    "n-cpu": _WORKERS,
    "num-threads": _WORKERS,
    "dataset": "data",
    "dataroot": "data",
    "data-dir": "data",
    "data-path": "data",
    "dataset-path": "data",
    "outdir": "run_dir|out",
    "out-dir": "run_dir|out",
    "output": "out",
    "output-dir": "run_dir|out",
    "outf": "run_dir",
    "logdir": "run_dir",
    "save-dir": "run_dir",
    "workdir": "run_dir",
    "checkpoints-dir": "run_dir",
    "name": "run_dir",
    "image-size": "resolution",
    "img-size": "resolution",
    "imagesize": "resolution",
    "crop-size": "resolution",
    "load-size": "resolution",
    "nz": "z_dim",
    "latent-dim": "z_dim",
    "z-size": "z_dim",
    "ngf": "g_channels",
    "ndf": "d_channels",
    "cbase": "channel_base",
    "cmax": "channel_max",
    "b1": "beta1",
    "b2": "beta2",
    "adam-beta1": "beta1",
    "adam-beta2": "beta2",
    "manualseed": "seed",
    "random-seed": "seed",
    "seeds": _SEEDS,
    "gamma": "r1_gamma",
    "r1": "r1_gamma",
    "aug": "augment",
    "augpipe": "augment",
    "diffaugment": "augment",
    "ada": "augment",
    "target": "ada_target",
    "flip": "mirror",
    "cond": "conditional",
    "cfg": _SETTINGS,
    "config-file": "config",
    "ema": "ema_decay",
    "snap": "checkpoint_every",
    "save-every": "checkpoint_every",
    "save-freq": "checkpoint_every",
    "save-epoch-freq": "checkpoint_every",
    "sample-interval": "sample_every",
    "log-every": "sample_every",
    "display-freq": "sample_every",
    "metric": "metrics",
    "critic-iters": "n_critic",
    "clip-value": "weight_clip",
    "lambda-gp": "gp_weight",
    "lambda-a": "lambda_cycle",
    "trunc": "truncation_psi",
    "truncation": "truncation_psi",
    "network": "the run or the exported file is the first argument: jaxgan sample RUN --out grid.png.",
    "num-samples": "count",
    "n-samples": "count",
    "num": "count",
    "n": "count",
    "o": "out",
    "width": _WIDTHS,
    "channels-g": _WIDTHS,
    "fp16": _MIXED,
    "amp": _MIXED,
    "mixed-precision": _MIXED,
    "mpc": _MIXED,
    "bf16": _MIXED,
    "no-gpu": "the environment variable JAX_PLATFORMS=cpu keeps JAX on the CPU.",
    "fresh": "a run is started over by the command train, jaxgan train EXPERIMENT --fresh.",
    "verbose": "a run prints its progress; --quiet silences it, and JAXGAN_TRACEBACK=1 shows where an error is.",
    "debug": "JAXGAN_TRACEBACK=1 shows where an error is, and JAX_DEBUG_NANS=1 where a value is no number.",
    "wandb": _LOGS,
    "report-to": _LOGS,
    "logger": _LOGS,
    "precision": "compute_dtype",
    "n-epochs-decay": "lr_decay_steps",
    "num-train-epochs": _EPOCHS,
    "per-device-train-batch-size": "batch_size",
    "resume-from-checkpoint": _RESUME,
    "overwrite-output-dir": "fresh",
    "overwrite": "fresh",
    "accelerator": _DEVICES,
    "max-steps": "steps",
    "use-ema": "ema_decay",
    "lr-g": "learning_rate",
    "lr-d": "learning_rate",
    "g-lr": "learning_rate",
    "d-lr": "learning_rate",
    "netg": _RESUME,
    "netd": _RESUME,
    "log-every-n-steps": "progress is printed and logged by itself; see --sample-every and --checkpoint-every.",
    "skip-broken": "a picture that cannot be read ends the run before it starts; remove the file that is named.",
    "tensorboard": "metrics are always written for TensorBoard: tensorboard --logdir runs.",
    "t": "training is the command itself: jaxgan train EXPERIMENT.",
    "train": "training is the command itself: jaxgan train EXPERIMENT.",
}

# Names that people type in place of the commands of ``jaxgan``.
COMMAND_HABITS = {
    "run": "train",
    "fit": "train",
    "generate": "sample",
    "gen": "sample",
    "gen-images": "sample",
    "infer": "sample",
    "inference": "sample",
    "draw": "sample",
    "eval": "evaluate",
    "test": "evaluate",
    "metrics": "evaluate",
    "calc-metrics": "evaluate",
    "score": "evaluate",
    "predict": "translate",
    "projector": "project",
    "invert": "project",
    "continue": "resume",
    "restart": "resume",
    "ls": "list",
    "models": "list",
    "experiments": "list",
    "presets": "list",
    "init": "new",
    "create": "new",
    "save": "export",
    "convert": "export",
    "show": "report",
    "view": "report",
    "info": "inspect",
    "check": "doctor",
    "diff": "compare",
    "interpolate": "jaxgan sample RUN --out between.gif draws an interpolation.",
    "style-mixing": "jaxgan sample RUN --style-mix coarse --out mixed.png mixes styles.",
    "dataset-tool": "folders and zips of pictures are read as they are: jaxgan train EXPERIMENT --data FOLDER.",
    "prepare": "folders and zips of pictures are read as they are: jaxgan train EXPERIMENT --data FOLDER.",
    "runs": "runs are the directories below runs/; jaxgan compare RUN RUN puts several on one page.",
    "delete": "a run is a directory: remove it, or start it over with jaxgan train EXPERIMENT --fresh.",
    "tensorboard": "tensorboard --logdir runs shows the metrics of all runs.",
}

# Names that people type in place of the experiments.
EXPERIMENT_HABITS = {
    "sagan": "sngan",
    "biggan": "sngan",
    "acgan": "cgan",
    "stylegan": "stylegan2",
    "stylegan3": "stylegan2",
    "progan": "stylegan2",
    "pggan": "stylegan2",
    "wgangp": "wgan_gp",
    "lsgan": "cyclegan",
    "pix2pixhd": "pix2pix",
    "esrgan": "srgan",
    "unit": "cyclegan",
    "cut": "cyclegan",
    "autoencoder": "vae",
}


def closest(name: str, names: Iterable[str]) -> str | None:
    """The name that is most like a misspelt one; None if none is."""
    found = difflib.get_close_matches(name, list(names), 1, 0.6)
    return found[0] if found else None


def answer_unknown(unknown: Sequence[str], flags: Sequence[str], typed: str) -> str:
    """Corrections for arguments that a command does not have, a sentence for each.

    Args:
      unknown: the arguments, in order.
      flags: those that the command has.
      typed: the command, for examples.
    """
    names = [argument for argument in unknown if argument.startswith("-") and not _is_number(argument)]
    if not names:
        return _answer_operand(unknown[0], flags, typed)
    return " ".join(answer_flag(name.partition("=")[0], flags) for name in names)


def answer_flag(name: str, flags: Sequence[str]) -> str:
    """A correction for a flag that a command does not have."""
    bare = name.lstrip("-").lower().replace("_", "-")
    habit = HABITS.get(bare, bare)
    if " " in habit:
        return f"{name} is not a flag here: {habit}"
    named = ["--" + target.replace("_", "-") for target in habit.split("|")]
    here = next((target for target in named if target in flags), None)
    if here:
        return f"{name} is not a flag; it is called {here} here."
    near = closest(named[0][2:], [flag[2:] for flag in flags])
    if near:
        return f"{name} is not a flag; did you mean --{near}?"
    return f"{name} is not a flag of this command."


def _answer_operand(word: str, flags: Sequence[str], typed: str) -> str:
    setting, separator, value = word.partition("=")
    if separator and f"--{setting.replace('_', '-')}" in flags:
        return f"{word} needs hyphens before it: {typed} --{setting.replace('_', '-')} {value}."
    if word.lower() in ("0", "1", "true", "false", "yes", "no"):
        return f"{word!r} was not expected; a flag for yes or no stands alone, as --mirror, or is left out."
    for name in ("--data", "--images"):
        if name in flags and ("/" in word or "." in word or Path(word).exists()):
            return f"{word} needs a flag before it: {typed} {name} {word}."
    return f"{word!r} was not expected; every value follows its flag, as in --seed 1."


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def answer_command(name: str, commands: Sequence[str], program: str) -> str:
    """A correction for a command that a program does not have."""
    habit = COMMAND_HABITS.get(name.lower().replace("_", "-"), "")
    if " " in habit:
        return f"{program} has no command {name}: {habit}"
    meant = habit if habit in commands else closest(name.lower(), commands)
    if meant:
        return f"{program} has no command {name}; did you mean {program} {meant}?"
    return f"{program} has no command {name}; its commands are {', '.join(commands)}."

"""Suggest corrections for misspelt names, and for the flags and commands of other tools.

The tables map names from PyTorch's examples, the StyleGAN programs, pytorch-CycleGAN-and-pix2pix, StudioGAN and
PyTorch-GAN to their counterparts in jaxgan. A value without a space is the name of a field or a command of jaxgan. A
value with spaces is a text for the user.
"""

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

_EPOCHS = (
    "The length of training is set in steps, not in epochs: pass --steps, which is the number of epochs times the "
    "number of examples, divided by --batch-size."
)
_KIMG = (
    "The length of training is set in steps: pass --steps, which is the number of kimg times 1000, divided by "
    "--batch-size."
)
_DEVICES = (
    "Training uses all accelerators that JAX finds. Pass --devices N to use only N of them; set the environment "
    "variable CUDA_VISIBLE_DEVICES or JAX_PLATFORMS to choose them."
)
_WORKERS = "Batches are loaded ahead in the same process, so there are no worker processes. Leave out this flag."
_RESUME = "A run is resumed when its command is repeated. To resume it with its own settings, run `jaxgan resume RUN`."
_WIDTHS = "Some experiments set the width of their networks with --g-channels and --d-channels; see --help."
_MIXED = "To compute in half precision, pass --compute-dtype bfloat16."
_TF32 = (
    "To choose the precision of float32 products on accelerators, pass --matmul-precision and --penalty-precision; "
    "highest computes them in float32, without TF32."
)
_SEEDS = "Pass one number as --seed, and the number of samples as --count."

_SETTINGS = (
    "To use published settings, pass --preset NAME; to read settings from a file, pass --config FILE; see --help."
)
_LOGS = "Metrics are written to metrics.jsonl and tensorboard/ in the run's directory."
_FOLDERS = (
    "Folders and zip files of images need no preparation. To train on them, run `jaxgan train EXPERIMENT --data "
    "FOLDER`."
)

# Flags of other tools that take the name of a model or an experiment.
FLAGS_OF_NAMES = ("--model", "--arch", "--experiment", "--exp", "--gan", "-m")

# Keys are flags of other tools, in lower case, without leading hyphens, and with hyphens in place of underscores.
# Values are fields of jaxgan's commands (alternatives are separated by "|"), or texts for the user.
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
    "cpu": "JAX uses the CPU if it finds no accelerator. To use the CPU in any case, set the environment variable "
    "JAX_PLATFORMS=cpu.",
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
    "network": "Pass the run or the exported file as the first argument, as in `jaxgan sample RUN --out grid.png`.",
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
    "allow-tf32": _TF32,
    "tf32": _TF32,
    "no-gpu": "To use the CPU, set the environment variable JAX_PLATFORMS=cpu.",
    "fresh": "To start a run over, train it with --fresh, as in `jaxgan train EXPERIMENT --fresh`.",
    "verbose": "Training prints its progress unless --quiet is passed. To see the traceback of an error, set the "
    "environment variable JAXGAN_TRACEBACK=1.",
    "debug": "To see the traceback of an error, set the environment variable JAXGAN_TRACEBACK=1. To find the operation "
    "that produces NaN, set JAX_DEBUG_NANS=1 and JAX_DISABLE_JIT=1, which is slow.",
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
    "log-every-n-steps": "The metrics of every step are logged. To change how often images and checkpoints are "
    "written, pass --sample-every and --checkpoint-every.",
    "skip-broken": "Images that cannot be read are not skipped: they end the command before training starts. Remove "
    "the file that the error names.",
    "tensorboard": "Metrics are always written for TensorBoard. To show them, run `tensorboard --logdir runs`.",
    "t": "The command `jaxgan train EXPERIMENT` trains without it.",
    "train": "The command `jaxgan train EXPERIMENT` trains without it.",
}

# Keys are names that users of other tools type for the commands of ``jaxgan``. Values are commands, or texts for the
# user.
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
    "download": "weights",
    "fetch": "weights",
    "diff": "compare",
    "interpolate": "To generate an interpolation, run `jaxgan sample RUN --out between.gif`.",
    "style-mixing": "To mix styles, run `jaxgan sample RUN --style-mix coarse --out mixed.png`.",
    "dataset-tool": _FOLDERS,
    "prepare": _FOLDERS,
    "runs": "Runs are the directories below runs/. To show several runs on one page, run `jaxgan compare RUN RUN`.",
    "delete": "A run is a directory: remove it, or start the run over with `jaxgan train EXPERIMENT --fresh`.",
    "tensorboard": "To show the metrics of all runs, run `tensorboard --logdir runs`.",
}

# Keys are names of GANs that jaxgan does not have, or other spellings. Values are the most similar experiments.
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
    """Return the element of ``names`` that is most similar to a misspelt name, or None if no element is similar.

    Args:
      name: the misspelt name.
      names: the names that exist.
    """
    found = difflib.get_close_matches(name, list(names), 1, 0.6)
    return found[0] if found else None


def answer_unknown(unknown: Sequence[str], flags: Sequence[str], typed: str) -> str:
    """Return the error message for arguments that a command does not have, with a correction for each flag.

    Args:
      unknown: the arguments that the parser did not recognise, in order.
      flags: the flags of the command.
      typed: the command as it was typed, for examples.
    """
    names = [argument for argument in unknown if argument.startswith("-") and not _is_number(argument)]
    if not names:
        return _answer_operand(unknown[0], flags, typed)
    return " ".join(answer_flag(name.partition("=")[0], flags) for name in names)


def answer_flag(name: str, flags: Sequence[str]) -> str:
    """Return the error message for a flag that a command does not have, with a correction if one is known.

    Args:
      name: the unknown flag, as it was typed.
      flags: the flags of the command, with their hyphens.
    """
    bare = name.lstrip("-").lower().replace("_", "-")
    habit = HABITS.get(bare, bare)
    message = f"This command has no flag {name}."
    if " " in habit:
        return f"{message} {habit}"
    targets = ["--" + target.replace("_", "-") for target in habit.split("|")]
    replacement = next((target for target in targets if target in flags), None)
    if replacement:
        return f"{message} Use {replacement} instead."
    similar = closest(targets[0][2:], [flag[2:] for flag in flags])
    if similar:
        return f"{message} Did you mean --{similar}?"
    return message


def _answer_operand(word: str, flags: Sequence[str], typed: str) -> str:
    setting, separator, value = word.partition("=")
    if separator and f"--{setting.replace('_', '-')}" in flags:
        return f"{word!r} is not a flag. Write it with hyphens: `{typed} --{setting.replace('_', '-')} {value}`."
    if word.lower() in ("0", "1", "true", "false", "yes", "no"):
        return f"{word!r} does not follow a flag that takes a value. Flags such as --mirror are passed without a value."
    for name in ("--data", "--images"):
        if name in flags and ("/" in word or "." in word or Path(word).exists()):
            return f"{word!r} does not follow a flag. Did you mean `{typed} {name} {word}`?"
    return f"{word!r} does not follow a flag. Each value must follow its flag, as in --seed 1."


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def answer_command(name: str, commands: Sequence[str], program: str) -> str:
    """Return the error message for a command that a program does not have, with a correction if one is known.

    Args:
      name: the unknown command, as it was typed.
      commands: the names of the commands.
      program: the name of the program.
    """
    habit = COMMAND_HABITS.get(name.lower().replace("_", "-"), "")
    message = f"`{program}` has no command {name!r}."
    if " " in habit:
        return f"{message} {habit}"
    similar = habit if habit in commands else closest(name.lower(), commands)
    if similar:
        return f"{message} Did you mean `{program} {similar}`?"
    return f"{message} Its commands are {', '.join(commands)}."

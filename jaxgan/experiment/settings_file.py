"""Settings from JSON: a run's ``config.json`` and the metadata of exports, those of older versions too.

``RENAMED`` maps older names of settings to today's. What else older versions named differently is mapped where it is
read: figures in ``evaluation.metric_names``, ``course`` in ``editing.projection_files``, ``told`` of a private run in
``reporting.report``.
"""

import dataclasses
import functools
import reprlib
import sys
import types
import typing
from collections.abc import Callable, Collection, Mapping
from typing import Any

# Older names of settings, by experiment ("" for all experiments), and today's. A pair has today's values for the older
# ones as well. None stands for a setting that had no effect, and is dropped.
RENAMED: Mapping[str, Mapping[str, str | tuple[str, Mapping[Any, Any]] | None]] = {
    "": {
        "latents": "z_dim",
        "size": "resolution",
        "accumulate": "grad_accum_steps",
        "vary": "sweep",
        "precision": "compute_dtype",
        "private_noise": "dp_noise_multiplier",
        "private_clip": "dp_l2_clip",
        "private_delta": "dp_delta",
        "private_seed": "dp_seed",
        "held_out": "num_held_out",
        "ema": "ema_decay",
        "constant": "lr_constant_steps",
        "decay": "lr_decay_steps",
        "flip": "mirror",
        "generator_width": "g_channels",
        "discriminator_width": "d_channels",
        "r1": "r1_gamma",
    },
    "cyclegan": {
        "latents": None,
        "data_inputs": "data_a",
        "test_data_inputs": "test_data_a",
        "blocks": "num_blocks",
        "layers": "n_layers_d",
        "cycle": "lambda_cycle",
        "identity": "lambda_identity",
        "pool": "pool_size",
    },
    "dcgan": {"base": "base_resolution"},
    "gan3d": {
        "only": "category",
        "up": "up_axis",
        "latents_from": "z_min",
        "discriminator_learning_rate": "d_learning_rate",
        "pause_above": "d_pause_accuracy",
        "discriminator_norm": ("d_norm", {True: "batch", False: "none"}),
        "base": "base_resolution",
    },
    "pix2pix": {
        "latents": None,
        "data_inputs": "data_a",
        "test_data_inputs": "test_data_a",
        "downs": "num_downs",
        "layers": "n_layers_d",
        "adversarial": "adv_weight",
        "l1": "lambda_l1",
    },
    "points": {"penalty": "gp_weight", "critic_turns": "n_critic", "decay": "decay_steps"},
    "r3gan": {
        "final_learning_rate": "learning_rate_final",
        "final_gamma": "gamma_final",
        "final_beta2": "beta2_final",
        "blocks": "num_blocks",
        "group": "channels_per_group",
        "base": "base_resolution",
        "decay": "decay_steps",
    },
    "sngan": {"base": "base_resolution", "discriminator_turns": "n_dis"},
    "srgan": {
        "latents": None,
        "pretrain": "pretrain_steps",
        "blocks": "num_blocks",
        "norm": ("norm", {True: "batch", False: "none"}),
        "even": "icnr",
        "content": "content_loss",
        "adversarial": "adv_weight",
    },
    "stylegan2": {
        "style_width": "w_dim",
        "depth": "mapping_layers",
        "base": "channel_base",
        "most": "channel_max",
        "smallest": "base_resolution",
        "residual": ("d_architecture", {True: "resnet", False: "orig"}),
        "group": "mbstd_group_size",
        "mixing": "style_mixing_prob",
        "r1_every": "r1_interval",
        "path": "pl_weight",
        "path_every": "pl_interval",
        "ema_ramp": "ema_rampup",
        "low": "num_low_precision_res",
        "clamp": "conv_clamp",
    },
    "wgan": {
        "clip": "weight_clip",
        "critic_turns": "n_critic",
        "warm_steps": "critic_warmup_steps",
        "warm_first": "critic_warmup_first",
        "warm_every": "critic_warmup_every",
        "critic_width": "d_channels",
        "base": "base_resolution",
    },
    "wgan_gp": {"base": "base_resolution", "critic_turns": "n_critic", "penalty": "gp_weight"},
}

# Settings that older versions did not have, by experiment, and whose defaults are what those versions did.
ADDED: Mapping[str, frozenset[str]] = {"r3gan": frozenset({"mirror"})}


def rename_settings(
    values: Mapping[str, Any], experiment: str, fields: Collection[str] | None = None
) -> dict[str, Any]:
    """Settings of an older version by today's names, with today's values.

    Args:
      values: settings by name, as JSON has them.
      experiment: whose they are.
      fields: the names that the experiment has today. A name among them stands, as does one whose new name is not among
        them. Not given: a name stands if its new name is among ``values`` too.

    >>> rename_settings({"steps": 3, "latents": 8, "vary": ["ema=0.5,0.9"]}, "gan")
    {'steps': 3, 'z_dim': 8, 'sweep': ['ema_decay=0.5,0.9']}
    """
    table = {**RENAMED[""], **RENAMED.get(experiment, {})}

    def look_up(name: str) -> tuple[str, Mapping[Any, Any]] | None:
        entry = table.get(name, name)
        if entry is None:
            return None if fields is None or name not in fields else (name, {})
        new, choices = (entry, {}) if isinstance(entry, str) else entry
        if new == name:
            return new, choices
        stands = new in values if fields is None else (name in fields or new not in fields)
        return (name, {}) if stands else (new, choices)

    settings = {}
    for name, value in values.items():
        found = look_up(name)
        if found is not None:
            new, choices = found
            settings[new] = choices[value] if choices and isinstance(value, bool) else value
    if isinstance(settings.get("sweep"), list):  # texts "name=values"
        settings["sweep"] = [_renamed_sweep(str(text), look_up) for text in settings["sweep"]]
    return settings


def _renamed_sweep(text: str, look_up: Callable[[str], tuple[str, Any] | None]) -> str:
    """``"ema=0.9,0.99"`` by today's name."""
    name, _, numbers = text.partition("=")
    name = name.strip().replace("-", "_")
    found = look_up(name)
    return f"{found[0] if found else name}={numbers}"


def read_settings(values: Mapping[str, Any], config_class: type, where: Any, experiment: str) -> Any:
    """Settings from JSON, as ``config_class``. Of those that are missing, today's defaults, which is told on stderr.

    Names of older versions are read as today's: ``RENAMED``. Nothing is told of ``ADDED``.

    Raises:
      ValueError: there are some that the experiment does not have; the message says ``where``.
    """
    defaults = dataclasses.asdict(config_class())
    values = rename_settings(values, experiment, defaults)
    unknown = values.keys() - defaults.keys()
    if unknown:
        raise ValueError(f"{where}: settings that {experiment} does not have: {', '.join(sorted(unknown))}")
    known = {*values, *ADDED.get(experiment, ())}
    missing = [f"{name} {format_setting(default)}" for name, default in defaults.items() if name not in known]
    if missing:
        told = f"an older jaxgan wrote it, without {', '.join(missing)}; add there what it was trained with"
        _warn(f"{where}: {told}")
    values = {name: tuple(x) if isinstance(x, list) else x for name, x in values.items()}
    check_types(values, config_class, where)
    return config_class(**values)


def check_types(values: Mapping[str, Any], dataclass: type, where: Any) -> None:
    """Check that values from JSON have the types of a dataclass's fields; raises ``ValueError`` if one has not.

    Args:
      values: by the name of the field; lists as tuples.
      dataclass: has a field for each.
      where: what the message says they are in.
    """
    hints = typing.get_type_hints(dataclass)
    for name, value in values.items():
        if not _has_type(value, hints[name]):
            raise ValueError(f"{where}: {name} cannot be {reprlib.repr(value)}.")


def _has_type(value: Any, hint: Any) -> bool:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_has_type(value, argument) for argument in arguments)
    if origin is typing.Literal:
        return any(type(value) is type(choice) and value == choice for choice in arguments)
    if origin is tuple:
        return isinstance(value, tuple) and all(_has_type(item, arguments[0]) for item in value)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint in (int, str, bool, type(None)):
        return type(value) is hint
    return True  # a type of a user's own settings


@functools.cache
def _warn(text: str) -> None:
    """Once: a run reads its record before it traces, and again when nobody else can write it."""
    print(f"warning: {text}", file=sys.stderr)


def format_setting(value: Any) -> str:
    """A setting's value as the command line takes it.

    >>> format_setting(("a=1", "b=2")), format_setting(()), format_setting(0.5)
    ('a=1 b=2', 'none', '0.5')
    """
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "none"
    return str(value)

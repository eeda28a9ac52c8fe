"""Read settings from JSON: from the ``config.json`` of a run, and from the metadata of exported files.

Files that older versions wrote can be read too. ``RENAMED`` maps their names of settings to the current names. Other
names that have changed are mapped where they are read: metrics in ``evaluation.metric_names``, ``course`` in
``editing.projection_files``, and ``told``, a key of private runs, in ``reporting.report``.
"""

import dataclasses
import inspect
import reprlib
import types
import typing
from collections.abc import Callable, Collection, Mapping
from typing import Any

from jaxgan.core.text import warn_once

# For each experiment ("" for all experiments), a dictionary from older names of settings to current names. A tuple
# contains the current name and a dictionary from older values to current values. None drops a setting that had no
# effect.
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

# For each experiment ("" for all experiments), the settings that older versions did not have, and the values with which
# the experiment behaves as in these versions.
ADDED: Mapping[str, Mapping[str, Any]] = {
    "": {"jpeg_draft": False, "matmul_precision": "default", "penalty_precision": "default"},
    "pix2pix": {"halves": "any"},
    "r3gan": {"mirror": False},
}


# Settings that no file contains, with the names of older versions: the noise of private training could be computed from
# the seed, and subtracted from a published model.
SECRET = frozenset({"dp_seed", "private_seed"})


def without_secrets(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings without the secret ones that have a value.

    >>> without_secrets({"dp_seed": 3, "steps": 10}), without_secrets({"dp_seed": None})
    ({'steps': 10}, {'dp_seed': None})

    Args:
      values: settings as a dictionary from names to values.
    """
    return {name: value for name, value in values.items() if name not in SECRET or value is None}


def rename_settings(
    values: Mapping[str, Any], experiment: str, fields: Collection[str] | None = None
) -> dict[str, Any]:
    """Return settings of an older version with their current names and values.

    Args:
      values: settings as a dictionary from names to values, as read from JSON.
      experiment: name of the experiment that the settings belong to.
      fields: the current names of the experiment's settings. A name in ``values`` is only changed if it is not in
        ``fields`` and its new name is in ``fields``. If None, a name is only changed if its new name is not in
        ``values``.

    >>> rename_settings({"steps": 3, "latents": 8, "vary": ["ema=0.5,0.9"]}, "gan")
    {'steps': 3, 'z_dim': 8, 'sweep': ['ema_decay=0.5,0.9']}
    """
    table = {**RENAMED[""], **RENAMED.get(experiment, {})}

    def look_up(name: str) -> tuple[str, Mapping[Any, Any]] | None:
        """Return the current name of a setting and the map of its values, or None if the setting is dropped."""
        entry = table.get(name, name)
        if entry is None:
            return None if fields is None or name not in fields else (name, {})
        new, choices = (entry, {}) if isinstance(entry, str) else entry
        if new == name:
            return new, choices
        is_current = new in values if fields is None else (name in fields or new not in fields)
        return (name, {}) if is_current else (new, choices)

    settings = {}
    for name, value in values.items():
        found = look_up(name)
        if found is not None:
            new, choices = found
            settings[new] = choices[value] if choices and isinstance(value, bool) else value
    if isinstance(settings.get("sweep"), list):  # strings "name=values"
        settings["sweep"] = [_renamed_sweep(str(text), look_up) for text in settings["sweep"]]
    return settings


def _renamed_sweep(text: str, look_up: Callable[[str], tuple[str, Any] | None]) -> str:
    """Return ``"ema=0.9,0.99"`` with the current name of the setting, ``"ema_decay=0.9,0.99"``."""
    name, _, numbers = text.partition("=")
    name = name.strip().replace("-", "_")
    found = look_up(name)
    return f"{found[0] if found else name}={numbers}"


def read_settings(values: Mapping[str, Any], config_class: type, where: Any, experiment: str) -> Any:
    """Return settings that were read from JSON as an instance of ``config_class``.

    Older names are replaced by the current names, see ``RENAMED``. Missing settings get their value in
    ``ADDED``, or else their current default. A warning on standard error lists the settings that get their default.

    Args:
      values: settings as a dictionary from names to values, as read from JSON.
      config_class: the class of the settings, a subclass of ``CommonSettings``.
      where: the file or other place that the settings were read from, for messages.
      experiment: name of the experiment.

    Raises:
      ValueError: if ``values`` has settings that the experiment does not have, or a value has the wrong type.
    """
    defaults = dataclasses.asdict(config_class())
    values = rename_settings(values, experiment, defaults)
    unknown = values.keys() - defaults.keys()
    if unknown:
        raise ValueError(
            f"{where} has settings that {experiment} does not have: {', '.join(sorted(unknown))}. Remove them, or use "
            "the version of jaxgan that wrote them."
        )
    added = {**ADDED[""], **ADDED.get(experiment, {})}
    values = {**{name: value for name, value in added.items() if name in defaults}, **values}
    known = {*values, *SECRET}
    missing = [f"{name} {format_setting(default)}" for name, default in defaults.items() if name not in known]
    if missing:
        warn_once(
            f"{where} was written by an older version of jaxgan and lacks settings. The missing settings get these "
            f"values: {', '.join(missing)}. If the run was trained with other values, add them to the file."
        )
    values = {name: tuple(x) if isinstance(x, list) else x for name, x in values.items()}
    check_types(values, config_class, where)
    return config_class(**values)


def check_types(values: Mapping[str, Any], dataclass: type, where: Any) -> None:
    """Check that values from JSON have the types of a dataclass's fields.

    Args:
      values: dictionary from names of fields to values. Lists must have been converted to tuples.
      dataclass: a dataclass with a field for each value.
      where: the file or other place that the values were read from, for messages.

    Raises:
      ValueError: if a value has the wrong type.
    """
    hints = typing.get_type_hints(dataclass)
    for name, value in values.items():
        if not _has_type(value, hints[name]):
            raise ValueError(
                f"The value of {name} in {where} must be of the type {inspect.formatannotation(hints[name])}, got "
                f"{reprlib.repr(value)}. Correct it, or restore the file from a backup."
            )


def _has_type(value: Any, hint: Any) -> bool:
    """Return whether a value from JSON has the type of an annotation. Types that JSON cannot represent are accepted."""
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
    return True  # another type, in a custom class of settings


def format_setting(value: Any) -> str:
    """Return a setting's value as the command line accepts it.

    >>> format_setting(("a=1", "b=2")), format_setting(()), format_setting(0.5)
    ('a=1 b=2', 'none', '0.5')
    """
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "none"
    return str(value)

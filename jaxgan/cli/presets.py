"""The flag ``--preset``: named settings that the other flags of ``train`` change, in place of the defaults.

The presets themselves are in an experiment's file, as those of ``experiments.stylegan2``.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import tyro
from tyro.conf import OmitArgPrefixes

# Settings by name; or a function of the settings that flags ask for, where some follow from others.
Preset = Mapping[str, Any] | Callable[[Any], Mapping[str, Any]]

HELP = "Settings to start from, in place of the defaults; flags override them."


def with_config(base: type, config_class: type, default: Any, presets: Sequence[str] | None) -> type:
    """A command's dataclass with what depends on the experiment: a field ``config``, and ``preset`` if it has presets.

    Args:
      base: a dataclass with the command's other fields.
      config_class: the dataclass of the experiment's settings.
      default: the settings that flags change.
      presets: the names to choose from; none leaves the field out, and None accepts any name.
    """
    fields: list[Any] = [("config", OmitArgPrefixes[config_class], dataclasses.field(default=default))]
    if presets is None:
        fields.append(("preset", str, dataclasses.field(default="")))
    elif presets:
        choices = (*presets, None)
        preset = Annotated[Literal[choices], tyro.conf.arg(help=HELP)]  # pyright: ignore
        fields.append(("preset", preset, dataclasses.field(default=None)))
    namespace = {"__doc__": base.__doc__, "__module__": base.__module__}
    return dataclasses.make_dataclass(
        base.__name__, fields, bases=(base,), frozen=True, kw_only=True, namespace=namespace
    )


@dataclasses.dataclass(frozen=True)
class _NoOtherFlags:
    pass


def with_preset(config_class: type, presets: Mapping[str, Preset], flags: Sequence[str]) -> Any:
    """The settings that flags change: the defaults, or those of the preset that ``--preset`` names.

    Args:
      config_class: the dataclass of the experiment's settings.
      presets: by name.
      flags: of the command line.

    Raises:
      ValueError: there is no such preset.
    """
    default = config_class()
    if not presets or not any(flag.split("=")[0] == "--preset" for flag in flags):
        return default
    known_flags = [flag for flag in flags if flag not in ("-h", "--help")]
    command = with_config(_NoOtherFlags, config_class, default, None)
    given, _ = tyro.cli(command, args=known_flags, return_unknown_args=True, config=(tyro.conf.FlagCreatePairsOff,))
    if given.preset not in presets:
        raise ValueError(f"`preset` must be one of {', '.join(presets)}; got {given.preset!r}.")
    settings = presets[given.preset]
    return dataclasses.replace(default, **(settings(given.config) if callable(settings) else settings))

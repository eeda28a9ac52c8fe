"""Experiments: a game, its data and its settings, with functions that draw, show and evaluate its samples.

The programs in ``experiments/`` are written with this package. ``jaxgan.cli.program`` turns such a program into
a command.
"""

from jaxgan.experiment.builders import idle_player as idle_player, two_player_experiment as two_player_experiment
from jaxgan.experiment.experiment import (
    Display as Display,
    Experiment as Experiment,
    ImageToImage as ImageToImage,
    Sampling as Sampling,
    Translation as Translation,
)
from jaxgan.experiment.series_settings import SeriesSettings as SeriesSettings
from jaxgan.experiment.settings import (
    COUNT as COUNT,
    DEPTH as DEPTH,
    FRACTION as FRACTION,
    NON_NEGATIVE as NON_NEGATIVE,
    AugmentedSettings as AugmentedSettings,
    CommonSettings as CommonSettings,
    LinearDecaySettings as LinearDecaySettings,
    Settings as Settings,
    TranslationSettings as TranslationSettings,
    check_ranges as check_ranges,
    is_enabled as is_enabled,
    require_classes as require_classes,
)

"""An experiment: a game, its data, its settings, and how its samples are drawn, shown and measured.

What a program under ``experiments/`` is written with; its command line is ``jaxgan.cli.program``.
"""

from jaxgan.experiment.builders import two_players as two_players, waiting as waiting
from jaxgan.experiment.experiment import (
    Display as Display,
    Experiment as Experiment,
    ImageToImage as ImageToImage,
    Sampling as Sampling,
    Translation as Translation,
)
from jaxgan.experiment.settings import (
    COUNT as COUNT,
    SHARE as SHARE,
    WEIGHT as WEIGHT,
    AugmentedSettings as AugmentedSettings,
    FallingSettings as FallingSettings,
    Settings as Settings,
    TranslationSettings as TranslationSettings,
    check_ranges as check_ranges,
    conditions as conditions,
    positive as positive,
)

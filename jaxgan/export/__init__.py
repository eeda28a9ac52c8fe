"""Write and read trained networks as files that run without jaxgan: StableHLO for CPUs, CUDA and TPUs.

``write_generator`` and ``read_generator`` are for generators of samples from latents. ``write_translator`` and
``read_translator`` are for translators between images.
"""

from jaxgan.export.stablehlo import (
    GeneratorArtefact as GeneratorArtefact,
    TranslationDirection as TranslationDirection,
    TranslatorArtefact as TranslatorArtefact,
    read_generator as read_generator,
    read_translator as read_translator,
    write_generator as write_generator,
    write_translator as write_translator,
)

"""The command ``translate``: translate images with a checkpoint, or with an exported translator.

A translator is a network that generates images from images, as in pix2pix, CycleGAN and SRGAN.
"""

import argparse
import dataclasses
from pathlib import Path

from jaxgan import export
from jaxgan.cli.checkpoint_reference import WeightsReference
from jaxgan.cli.experiment_program import ExperimentProgram
from jaxgan.core.text import say
from jaxgan.editing.translate_files import translate_files
from jaxgan.editing.translator import Translator, choose_direction
from jaxgan.experiment.translation import directions


@dataclasses.dataclass(frozen=True, kw_only=True)
class Translate:
    """Translate images of any size with a checkpoint of an experiment such as pix2pix or cyclegan.

    ``jaxgan translate`` also accepts a file in place of RUN, if ``jaxgan export`` wrote the file.

    Attributes:
      images: Images to translate: a file, a folder or a zip file. Animations are translated frame by frame; extract the
        frames of a video first. The images can also be passed as the argument after RUN, without the flag.
      out: Folder for the results. Each result has the name of its image. For a single image, this can also be a file.
      checkpoint: Checkpoint that translates the images.
      direction: Name of the direction of the translation, such as a_to_b. By default, the first direction that the
        experiment defines.
      masks: Masks for a model that fills missing parts of images: a file, or a folder or zip file in which each mask
        has the name of its image. The white pixels of a mask are filled. By default, the transparent pixels of the
        image are filled.
      memory: Memory that the networks may use, in gigabytes. An image that requires more memory is translated in
        overlapping tiles.
      tile: Height and width of the tiles, in pixels. Larger images are divided into tiles of this size. By default,
        only images that require more memory than --memory are divided, and the tiles are as large as --memory allows.
      seed: Seed of the random inputs of the networks.

    Examples:
      COMMAND --images photos/ --out translated/
    """

    images: str
    out: str
    checkpoint: WeightsReference = dataclasses.field(default_factory=WeightsReference)
    direction: str | None = None
    masks: str | None = None
    memory: float = 4.0
    tile: int | None = None
    seed: int = 0

    def execute(self, program: ExperimentProgram) -> None:
        experiment, state, *_ = self.checkpoint.restore(program, needs="nothing")
        direction = choose_direction(directions(experiment, state), self.direction)
        translator = Translator(direction, memory=self.memory * 1e9, tile=self.tile, seed=self.seed)
        masks = Path(self.masks) if self.masks else None
        translate_files(translator, Path(self.images), Path(self.out), program.signature, masks=masks, log=say)


def translate_artefact(args: argparse.Namespace) -> None:
    """Execute ``jaxgan translate FILE IMAGES``: translate images with a translator that ``jaxgan export`` wrote.

    Args:
      args: the parsed arguments: ``artefact``, ``images``, ``out``, ``direction``, ``masks``, ``memory``, ``tile`` and
        ``seed``.

    Raises:
      ValueError: if the file is not an exported translator, or an image or an argument is invalid.
      OSError: if a file cannot be read or written.
    """
    metadata, artefact_directions = export.read_translator(args.artefact)
    direction = choose_direction(artefact_directions, args.direction)
    translator = Translator(direction, memory=args.memory * 1e9, tile=args.tile, seed=args.seed)
    made_by = str(metadata.get("made_by", "an exported network"))
    translate_files(translator, args.images, args.out, made_by, masks=args.masks, log=say)

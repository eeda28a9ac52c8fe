"""The command ``translate``: images made of images, by a checkpoint or an exported translator."""

import argparse
import dataclasses
from pathlib import Path

from jaxgan import export
from jaxgan.cli.checkpoint_reference import WeightsReference
from jaxgan.cli.experiment_program import ExperimentProgram
from jaxgan.editing.translate_files import translate_files
from jaxgan.editing.translator import Translator, choose_direction
from jaxgan.experiment.translation import directions


@dataclasses.dataclass(frozen=True, kw_only=True)
class Translate:
    """Translate images of any size, with the checkpoint of a translator.

    Attributes:
      images: A file, or a folder or zip; an animation is translated frame by frame. Of a video give the frames.
      out: A folder, in which they have the same names; of one image also a file.
      direction: The direction's name; the experiment's first if not given.
      masks: Masks, white where an image is to be filled: files of the same names. If not given, transparent pixels
        are filled.
      memory: Gigabytes that the networks may take; an image that needs more is translated in overlapping tiles.
      tile: The side of tiles, for all images that are larger; if not given, the largest that memory allows.
      seed: Seed of what is drawn for each image.

    Examples:
      COMMAND --images photos/ --out made/
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
        experiment, state, *_ = self.checkpoint.restore(program, own_data=False)
        direction = choose_direction(directions(experiment, state), self.direction)
        translator = Translator(direction, memory=self.memory * 1e9, tile=self.tile, seed=self.seed)
        masks = Path(self.masks) if self.masks else None
        translate_files(translator, Path(self.images), Path(self.out), program.signature, masks=masks, log=print)


def translate_artefact(args: argparse.Namespace) -> None:
    """``jaxgan translate FILE IMAGES``: with a translator that ``export`` wrote."""
    metadata, artefact_directions = export.read_translator(args.artefact)
    direction = choose_direction(artefact_directions, args.direction)
    translator = Translator(direction, memory=args.memory * 1e9, tile=args.tile, seed=args.seed)
    made_by = str(metadata.get("made_by", "an exported network"))
    translate_files(translator, args.images, args.out, made_by, masks=args.masks, log=print)

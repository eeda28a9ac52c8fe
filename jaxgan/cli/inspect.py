"""The command ``inspect``: print the checksums of a checkpoint."""

import dataclasses

from jaxgan.cli.checkpoint_reference import CheckpointReference
from jaxgan.cli.experiment_program import ExperimentProgram
from jaxgan.core.text import say
from jaxgan.games.privacy import is_noise_key
from jaxgan.training.checkpoints import checksums


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inspect:
    """Print the step of a checkpoint, and the SHA-256 checksum of each array in it.

    The key of the noise of a private run has no line, because it could be found by trying all values of dp_seed.

    Examples:
      COMMAND
      COMMAND --step 500

    Attributes:
      checkpoint: Checkpoint to print.
    """

    checkpoint: CheckpointReference = dataclasses.field(default_factory=CheckpointReference)

    def execute(self, program: ExperimentProgram) -> None:
        leaves = self.checkpoint.read(program)
        say(f"step {int(leaves['step'])}")
        for name, digest in sorted(checksums(leaves).items()):
            if not is_noise_key(name):
                say(f"{digest}  {name}")

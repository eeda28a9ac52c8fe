"""How a run is made: where it is written, how often, and on which devices."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from jaxgan.experiment.settings_file import check_types

# The options that belong to a run. The others belong to the machine, or to one start of it.
RECORDED = (
    "checkpoint_every",
    "sample_every",
    "evaluate_every",
    "metrics",
    "features",
    "weights",
    "evaluate_count",
    "parallel",
)
OF_EVALUATIONS = ("metrics", "features", "weights", "evaluate_count")


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """How a run is made. No option changes the parameters that a run trains."""

    # Run
    run_dir: str | None = None
    """The directory that everything is written to, by default runs/<experiment>. A run that is there is resumed."""
    fresh: bool = False
    """Remove the run that is there and start over."""
    checkpoint_every: int = 500
    """Steps between checkpoints."""
    sample_every: int = 500
    """Steps between sample grids."""
    # Evaluation
    evaluate_every: int | None = None
    """Steps between evaluations, each with a checkpoint, of which the best is kept. Without it, the best checkpoint is
    chosen by a Frechet distance on downsampled pixels."""
    metrics: tuple[str, ...] | None = None
    """Metrics of the evaluations, as for the command evaluate, by default fid. The first one chooses the best
    checkpoint."""
    features: str | None = None
    """Features of the evaluations, as for the command evaluate: classifier, or inception-2048 and so on."""
    weights: str | None = None
    """File with Inception's weights, for evaluations with its features."""
    evaluate_count: int | None = None
    """Number of samples in an evaluation, by default as many as there are data, at most 50,000."""
    # Devices
    devices: int | None = None
    """Number of devices to use, by default all."""
    parallel: Literal["pmap", "shard_map"] = "pmap"
    """How the step is spread over the devices. Runs on several hosts need shard_map."""
    coordinator: str | None = None
    """For several hosts: host:port of process 0, or auto where the cluster provides it."""
    num_processes: int | None = None
    """For several hosts: the number of processes."""
    process_id: int | None = None
    """For several hosts: the index of this process, from 0."""
    # Run
    profile: int = 0
    """Number of steps to trace with jax.profiler, into <run-dir>/profile."""
    quiet: bool = False
    """Print errors only."""

    @classmethod
    def resumed(cls, recorded: Mapping[str, Any], given: Mapping[str, Any]) -> "RunOptions":
        """The options of a run that is resumed: those that it recorded, and over them those that are given.

        Raises:
          ValueError: a recorded option has the wrong type.
        """
        kept = {name: tuple(x) if isinstance(x, list) else x for name, x in recorded.items() if name in RECORDED}
        check_types(kept, cls, "the options in config.json")
        if "evaluate_every" in given and given["evaluate_every"] is None:
            kept = {name: value for name, value in kept.items() if name not in OF_EVALUATIONS}
        return cls(**{**kept, **given})

    def recorded(self) -> dict[str, Any]:
        """The options that differ from the defaults and that the run keeps when it is resumed, by name."""
        kept = {name: getattr(self, name) for name in RECORDED}
        return {name: value for name, value in kept.items() if value != RunOptions.__dataclass_fields__[name].default}

    def check(self) -> None:
        """Raise ``ValueError`` for the first option that is out of its range, or has no effect without another."""
        for name in ("checkpoint_every", "sample_every", "evaluate_every"):
            steps = getattr(self, name)
            if steps is not None and steps < 1:
                raise ValueError(f"`{name}` must be at least 1, got {steps}.")
        for name in OF_EVALUATIONS:
            if getattr(self, name) is not None and self.evaluate_every is None:
                raise ValueError(f"`{name}` has no effect without evaluations; pass `evaluate_every` too.")
        if self.evaluate_count is not None and self.evaluate_count < 2:
            raise ValueError(f"`evaluate_count` must be at least 2, got {self.evaluate_count}.")
        if self.profile < 0:
            raise ValueError(f"`profile` must be at least 0, got {self.profile}.")
        if self.run_dir == "":
            raise ValueError("`run_dir` must not be empty; name a directory.")
        if self.coordinator is None and (self.num_processes is not None or self.process_id is not None):
            raise ValueError("`num_processes` and `process_id` need `coordinator`: host:port of process 0, or auto.")

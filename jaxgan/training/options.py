"""Options of a run: its directory, the frequency of its outputs, and its devices."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal

from jaxgan.core.rendezvous import check_place
from jaxgan.experiment.settings_file import check_types

# Options that are recorded in config.json and apply again when the run is resumed. All other options depend on the
# machine, or apply only to the command that they are passed to.
RECORDED = (
    "checkpoint_every",
    "sample_every",
    "evaluate_every",
    "metrics",
    "features",
    "weights",
    "evaluate_count",
    "parallel",
    "remat",
)
OF_EVALUATIONS = ("metrics", "features", "weights", "evaluate_count")  # options that require `evaluate_every`


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """Options of a run. No option changes the trained parameters."""

    # Run
    run_dir: str | None = None
    """Directory that the run writes all its files to. If the directory contains a run, that run is resumed. By
    default, runs/<experiment>."""
    fresh: bool = False
    """Remove the run in the directory and start again from step 0."""
    checkpoint_every: int = 500
    """Number of steps between checkpoints."""
    sample_every: int = 500
    """Number of steps between sample grids."""
    # Evaluation
    evaluate_every: int | None = None
    """Number of steps between evaluations. Each evaluation saves a checkpoint, and the checkpoint with the best score
    is never deleted. By default, there are no evaluations. The best checkpoint is then selected by a less expensive
    score, the Frechet distance between the pixels of downsampled samples and of downsampled data."""
    metrics: tuple[str, ...] | None = None
    """Metrics of each evaluation; see ``jaxgan evaluate --help``. The first metric is the score that selects the best
    checkpoint. By default, fid for images, points and voxels. Metrics that train a network, such as cas, can take
    minutes in each evaluation."""
    features: str | None = None
    """Features that the metrics compare: classifier (features of a small classifier, which is trained on the labels
    of the data), random (features of a fixed random network), or features of the Inception network such as
    inception-2048. By default, inception-2048 if ``weights`` is passed, otherwise classifier if the data have labels,
    otherwise random."""
    weights: str | None = None
    """File with the weights of the Inception network (.pth or .npz), which features such as inception-2048
    require. By default, the file that `jaxgan weights inception` has downloaded."""
    evaluate_count: int | None = None
    """Number of samples that each evaluation generates. By default, the number of examples in the data, but at most
    50,000."""
    # Devices
    devices: int | None = None
    """Number of devices to use. By default, all devices."""
    parallel: Literal["pmap", "shard_map"] = "pmap"
    """JAX transformation that distributes a training step over the devices. A run on several hosts requires
    shard_map."""
    remat: bool = False
    """Store fewer activations in a training step, and compute the others again for the gradient. A step needs less
    memory and more time, and its result is the same up to rounding."""
    coordinator: str | None = None
    """For runs on several hosts: address of process 0 as host:port, or auto if the cluster provides the address. By
    default, the run uses one host."""
    num_processes: int | None = None
    """For runs on several hosts: number of processes. By default, the cluster provides the number."""
    process_id: int | None = None
    """For runs on several hosts: index of this process, starting at 0. By default, the cluster provides the index."""
    # Data
    readers: int | None = None
    """Number of threads that decode image files; it has no effect on other data. By default, the number of processor
    cores, but at least 4."""
    image_cache: float | None = None
    """Memory in GiB for decoded images, if the data need more than the 1 GiB that is read into memory at the start.
    If all images fit, each file is decoded only once. By default, half of the available memory. With 0, the files are
    decoded in every epoch. It has no effect on data without image files."""
    # Run
    profile: int = 0
    """Number of steps to trace with jax.profiler. The trace is written to profile/ in the run's directory. 0 traces
    no steps."""
    quiet: bool = False
    """Print only errors."""

    @classmethod
    def resumed(cls, recorded: Mapping[str, Any], given: Mapping[str, Any]) -> "RunOptions":
        """Return the options of a run that is resumed.

        Args:
          recorded: the options in the run's config.json, as a dictionary from names to values.
          given: the options of the current call, as a dictionary from names to values. They take precedence over
            ``recorded``. If ``evaluate_every`` is given as None, recorded options in ``OF_EVALUATIONS`` are ignored.

        Raises:
          ValueError: if a recorded option has the wrong type.
        """
        kept = {name: tuple(x) if isinstance(x, list) else x for name, x in recorded.items() if name in RECORDED}
        check_types(kept, cls, "the options in config.json")
        if "evaluate_every" in given and given["evaluate_every"] is None:
            kept = {name: value for name, value in kept.items() if name not in OF_EVALUATIONS}
        return cls(**{**kept, **given})

    def recorded(self) -> dict[str, Any]:
        """Return the options to record in config.json, as a dictionary from names to values.

        These are the options in ``RECORDED`` with values that differ from the defaults.
        """
        kept = {name: getattr(self, name) for name in RECORDED}
        return {name: value for name, value in kept.items() if value != RunOptions.__dataclass_fields__[name].default}

    @property
    def cache_bytes(self) -> int | None:
        """The option ``image_cache`` in bytes."""
        return None if self.image_cache is None else int(self.image_cache * 2**30)

    def check(self) -> None:
        """Check that all options are valid.

        Raises:
          ValueError: if an option is out of its range, or has no effect because another option is missing.
        """
        for name in ("checkpoint_every", "sample_every", "evaluate_every"):
            steps = getattr(self, name)
            if steps is not None and steps < 1:
                raise ValueError(f"`{name}` must be at least 1, got {steps}.")
        for name in OF_EVALUATIONS:
            if getattr(self, name) is not None and self.evaluate_every is None:
                raise ValueError(f"`{name}` has no effect without evaluations. Pass `evaluate_every` too.")
        if self.evaluate_count is not None and self.evaluate_count < 2:
            raise ValueError(f"`evaluate_count` must be at least 2, got {self.evaluate_count}.")
        if self.readers is not None and self.readers < 1:
            raise ValueError(f"`readers` must be at least 1, got {self.readers}.")
        if self.image_cache is not None and not 0 <= self.image_cache < math.inf:
            raise ValueError(f"`image_cache` must be at least 0, got {self.image_cache:g}.")
        if self.profile < 0:
            raise ValueError(f"`profile` must be at least 0, got {self.profile}.")
        if self.run_dir == "":
            raise ValueError("`run_dir` must not be empty. Pass the path of a directory.")
        self._check_hosts()

    def _check_hosts(self) -> None:
        """Check the options of a run on several hosts."""
        if self.coordinator is None and (self.num_processes is not None or self.process_id is not None):
            raise ValueError(
                "`num_processes` and `process_id` require `coordinator`, which is the address of process 0 as "
                "host:port, or auto."
            )
        if self.coordinator is None:
            return
        address = None if self.coordinator == "auto" else self.coordinator
        check_place(address, self.num_processes, self.process_id)
        if self.parallel != "shard_map" and self.num_processes != 1:
            raise ValueError(f"`parallel` must be shard_map for a run on several hosts, got {self.parallel}.")

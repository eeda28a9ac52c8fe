"""Measure the speed, the memory and the accuracy of jaxgan on this machine's accelerator within a number of minutes.

    python -m experiments.benchmarks.accelerator --minutes 8 --out results
    python -m experiments.benchmarks.accelerator --small --out results  # tiny sizes, to test the program on a CPU

The program needs no network and no files. It measures, in this order: versions and devices; the accuracy and the speed
of products for each precision; convolutions and R1 against the results of the CPU; the training steps of DCGAN-64,
StyleGAN2-256, R3GAN and CycleGAN-256 with their compilation and memory; PyTorch, if it is installed for the same
device; one step per call against ten; training from JPEG files; and a short training with sample grids. Then it
repeats the training steps in bfloat16 and with other precisions.

Each measurement has a share of the time. Results are written after each of them to results.jsonl, one JSON object per
line, and to results.md, so an interrupted program loses only the measurement that is running. A measurement that fails
is recorded in one sentence, and a measurement without time as skipped. If the program is started again with the same
directory, it continues with the measurements that are missing.
"""

import sys
from pathlib import Path

import tyro

from experiments.benchmarks.accelerator import supervisor
from experiments.benchmarks.accelerator.plan import PARTS, make_plan
from experiments.benchmarks.accelerator.record import Record

MAX_MINUTES = 24 * 60


def main(
    out: str = "accelerator",
    minutes: float = 8.0,
    small: bool = False,
    data: str | None = None,
    parts: tuple[str, ...] = (),
) -> None:
    """Measure, and write the results.

    Args:
      out: directory for the results; it is created if it does not exist.
      minutes: number of minutes after which the program ends.
      small: measure tiny networks and images, to test the program. The times have no meaning.
      data: folder or .zip file of images for the short training. By default, tiles of the photographs of scikit-image,
        or digits if scikit-image is not installed.
      parts: parts to measure, for example products and step. By default, all parts.
    """
    unknown = sorted(set(parts) - set(PARTS))
    if unknown:
        sys.exit(_error(f"--parts must be some of {', '.join(PARTS)}, got {unknown[0]}."))
    if not 0 < minutes <= MAX_MINUTES:
        sys.exit(_error(f"--minutes must be above 0 and at most {MAX_MINUTES:,}, got {minutes:g}."))
    if data is not None and not Path(data).exists():
        sys.exit(_error(f"--data must be a folder or a .zip file of images, but {data} does not exist."))
    try:
        record = Record(out)
        plan = [m for m in make_plan(small, parts) if m.name not in record.finished]
        with supervisor.Workers(out, small, data) as workers:
            supervisor.run(plan, workers.start, record, 60 * minutes)
    except OSError as error:
        sys.exit(_error(f"--out {out} cannot be used: {error.strerror or error}. Choose another directory."))
    except ValueError as error:
        sys.exit(_error(f"{error} Choose another --out."))
    except KeyboardInterrupt:
        print(f"\ninterrupted; the results are in {out}", file=sys.stderr)
        sys.exit(130)
    print(f"results: {record.markdown}")


def _error(message: str) -> int:
    """Print an error, and return the exit code."""
    print(f"error: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)

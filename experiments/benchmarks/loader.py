"""Measure how many images per second jaxgan reads from folders and zip files, for several numbers of threads.

    python -m experiments.benchmarks.loader --readers 1 2 --out loader.json

The program creates its images itself, in a temporary folder: smooth noise with the spectrum of photographs, so that the
files are about as large as photographs. Each measurement reads shuffled batches as a training does, and is printed and
written immediately. Then the program measures the same reading with Pillow alone, in one thread, and with the
``DataLoader`` of PyTorch and the same number of processes, if torch is installed.

Two rates are printed: images per second, and images per second of processor time. The second one depends less on other
work on the machine.
"""

import contextlib
import dataclasses
import importlib.util
import json
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from PIL import Image, ImageOps, features

from experiments.benchmarks import processes
from jaxgan.core import system
from jaxgan.core.tables import format_bytes
from jaxgan.data import Batches, stream
from jaxgan.data.images import ImageFiles
from jaxgan.data.pipeline import batches_ahead
from jaxgan.data.readers import set_readers

QUALITY = 90  # quality of the JPEG files
SLOPE = 1.4  # exponent of the spectrum; larger values result in smoother images and smaller files


@dataclasses.dataclass(frozen=True)
class Case:
    """A kind of data.

    Attributes:
      suffix: the suffix of the files, which determines their format.
      size: height and width of the files in pixels.
      resolution: height and width of the images that are read, in pixels.
      share: number of files, as a fraction of the number that the user chooses.
      zipped: whether the files are in a zip.
      draft: whether the decoder of JPEG reduces the files, see the setting ``jpeg_draft``.
    """

    suffix: str
    size: int
    resolution: int
    share: float = 1.0
    zipped: bool = False
    draft: bool = False


CASES = {
    "PNG 256": Case("png", 256, 256),
    "JPEG 256": Case("jpg", 256, 256),
    "JPEG 1024 to 256": Case("jpg", 1024, 256, 1 / 4),
    "JPEG 1024 to 256, draft": Case("jpg", 1024, 256, 1 / 4, draft=True),
    "JPEG 1024 to 256, zip": Case("jpg", 1024, 256, 1 / 4, zipped=True),
}


def main(
    cases: tuple[str, ...] = tuple(CASES),
    readers: tuple[int, ...] = (),
    count: int = 256,
    batch: int = 32,
    seconds: float = 3.0,
    out: str | None = None,
) -> None:
    """Measure the rates, and print a table row for each measurement.

    Args:
      cases: the kinds of data to read.
      readers: numbers of threads or processes that decode images. By default, 1 and the number of cores.
      count: number of files of each kind; a quarter of it for files of 1024 pixels.
      batch: number of images in a batch.
      seconds: minimum time of each measurement in seconds.
      out: JSON file to which all results are written, after each measurement.
    """
    _check(cases, count, batch)
    results: list[dict[str, Any]] = []
    print(processes.describe_hardware())
    print(f"{'data':24}{'reader':18}{'threads':>8}{'images/s':>10}{'images/s of processor time':>28}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in cases:
            path, kilobytes = _create(Path(folder), CASES[name], round(count * CASES[name].share))
            for result in _measure_case(path, CASES[name], readers or (1, system.cores()), batch, seconds):
                results.append({"data": name, "kilobytes per file": kilobytes, **result})
                rate, cpu = result["images_per_second"], result["images_per_cpu_second"]
                shown = "" if cpu is None else f"{cpu:.0f}"
                print(f"{name:24}{result['reader']:18}{result['threads']:8}{rate:10.0f}{shown:>28}", flush=True)
                if out is not None:
                    record = {"hardware": processes.describe_hardware(), "results": results}
                    Path(out).write_text(json.dumps(record, indent=2) + "\n")


def _check(cases: tuple[str, ...], count: int, batch: int) -> None:
    """Exit with an error message if the program cannot run."""
    unknown = [name for name in cases if name not in CASES]
    if unknown:
        sys.exit(f"error: --cases must be among {', '.join(map(repr, CASES))}, got {unknown[0]!r}.")
    if count < 4 * batch or batch < 1:
        sys.exit(f"error: --count must be at least 4 times --batch, got --count {count} and --batch {batch}.")
    missing = [codec for codec in ("jpg", "zlib") if not features.check(codec)]
    if missing:
        sys.exit(f"error: This installation of Pillow lacks {' and '.join(missing)}. Install Pillow with them.")
    needed = count * 2**20  # more than the files of any case need
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < needed:
        sys.exit(
            f"error: The images need up to {format_bytes(needed)} in {tempfile.gettempdir()}, which has "
            f"{format_bytes(free)}. Lower --count, or set the environment variable TMPDIR to another folder."
        )


def smooth_noise(rng: np.random.Generator, size: int) -> np.ndarray:
    """Return an image of noise with the power spectrum of photographs, uint8 [size, size, 3].

    Args:
      rng: the random numbers.
      size: height and width in pixels.
    """
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size))[..., None]
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal((size, size, 3)), axes=(0, 1)) / frequency**SLOPE
    noise = np.fft.irfft2(spectrum, (size, size), (0, 1))
    luma = noise.mean(-1, keepdims=True)
    return np.clip(128 + 40 * (2 * luma / luma.std() + 0.5 * noise / noise.std()), 0, 255).astype(np.uint8)


def _create(folder: Path, case: Case, count: int) -> tuple[Path, int]:
    """Create the files of a case, and return their folder or zip and the mean size of a file in kilobytes."""
    files, rng = folder / f"{case.suffix}{case.size}", np.random.default_rng(0)
    if not files.exists():
        files.mkdir()
        images = [smooth_noise(rng, case.size) for _ in range(8)]
        for i in range(count):  # each file is another part of an endless pattern
            image = np.roll(images[i % len(images)], tuple(rng.integers(0, case.size, 2)), (0, 1))
            Image.fromarray(image).save(files / f"{i:05}.{case.suffix}", quality=QUALITY)
    kilobytes = round(sum(file.stat().st_size for file in files.iterdir()) / count / 1000)
    if not case.zipped:
        return files, kilobytes
    path = folder / f"{files.name}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(files.iterdir()):
            archive.write(file, file.name)
    return path, kilobytes


def _measure_case(
    path: Path, case: Case, readers: tuple[int, ...], batch: int, seconds: float
) -> Iterator[dict[str, Any]]:
    source = ImageFiles(path, case.resolution, 3, jpeg_draft=case.draft)

    def jaxgan() -> int:
        return sum(len(images["image"]) for images in stream(order, 0, len(source) // batch, batches_ahead(batch)))

    for threads in readers:
        set_readers(threads)
        order = Batches(source, batch, seed=0)
        yield {"reader": "jaxgan", "threads": threads, **_rates(jaxgan, seconds)}
    set_readers(None)
    if case.zipped or case.draft:
        return
    files = sorted(path.iterdir())
    yield {"reader": "Pillow", "threads": 1, **_rates(lambda: sum(1 for f in files if len(_read(f, case))), seconds)}
    if importlib.util.find_spec("torch") is None:
        return
    for workers in readers:
        with _torch_loader(files, case, batch, workers) as read_epoch:
            rates = _rates(read_epoch, seconds)
        # The images are decoded in other processes, whose processor time is not measured.
        yield {"reader": "torch DataLoader", "threads": workers, **rates, "images_per_cpu_second": None}


def _rates(read: Callable[[], int], seconds: float) -> dict[str, Any]:
    """Return the rates at which a function reads images.

    Args:
      read: a function that reads some images and returns their number. It is called once in advance.
      seconds: time after which it is not called again.
    """
    read()
    images, start, cpu_start = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() < start + seconds:
        images += read()
    cpu = time.process_time() - cpu_start
    return {"images_per_second": images / (time.perf_counter() - start), "images_per_cpu_second": images / cpu}


def _read(file: Path, case: Case) -> np.ndarray:
    """Read an image with Pillow alone."""
    with Image.open(file) as image:
        pixels = image.convert("RGB")
    size = (case.resolution, case.resolution)
    return np.asarray(pixels if pixels.size == size else ImageOps.fit(pixels, size, Image.Resampling.LANCZOS))


@dataclasses.dataclass(frozen=True)
class _Examples:
    """The data set of PyTorch's loader."""

    files: list[Path]
    case: Case

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> Any:
        import torch  # pyright: ignore[reportMissingImports]

        return torch.from_numpy(_read(self.files[i], self.case).copy())


@contextlib.contextmanager
def _torch_loader(files: list[Path], case: Case, batch: int, workers: int) -> Iterator[Callable[[], int]]:
    """Return a function that reads all images with PyTorch's loader, whose processes are started in advance."""
    from torch.utils.data import DataLoader  # pyright: ignore[reportMissingImports]

    loader: Any = DataLoader(
        _Examples(files, case),  # pyright: ignore[reportArgumentType]
        batch,
        shuffle=True,
        num_workers=workers,
        persistent_workers=True,
        multiprocessing_context="spawn",
    )
    yield lambda: sum(len(images) for images in loader)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)

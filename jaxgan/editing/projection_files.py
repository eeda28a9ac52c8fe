"""Files of projections: of each image the styles that were found, with their figures."""

import contextlib
import json
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgan.core.files import writing_out
from jaxgan.editing.inversion import SPACES


class Found(NamedTuple):
    """What a file has.

    Attributes:
      ws: [layers, w].
      noise: maps, [h, w] each.
      course: the loss at each step.
      psnr, ssim: of the image and the target; ``ssim`` is NaN of images too small for its window.
      protocol: what they depend on.
    """

    ws: np.ndarray
    noise: tuple[np.ndarray, ...]
    course: np.ndarray
    psnr: float
    ssim: float
    protocol: dict[str, Any]


def write(path: Path, found: Found) -> None:
    """Write a projection's file."""
    maps = {f"noise_{i}": x for i, x in enumerate(found.noise)}
    figures = {"psnr": found.psnr, "ssim": found.ssim, "protocol": json.dumps(found.protocol)}
    with writing_out(path), path.open("wb") as file:
        np.savez(file, ws=found.ws, course=found.course, **maps, **figures)


def read(path: Path) -> Found:
    """What ``write`` has written.

    Raises:
      ValueError: it is no such file, or there is none.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            maps = [name for name in file.files if name.startswith("noise_")]
            noise = tuple(file[f"noise_{i}"] for i in range(len(maps)))
            psnr, ssim, protocol = float(file["psnr"]), float(file["ssim"]), json.loads(str(file["protocol"]))
            return Found(
                file["ws"], noise, file["course"], psnr, ssim, {**protocol, "checkpoint": protocol["checkpoint"]}
            )
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file; project writes NAME.w.npz") from None
    except (ValueError, KeyError, OSError, EOFError, TypeError, AttributeError, zipfile.BadZipFile):
        raise ValueError(
            f"{path}: not a projection's file, or a damaged one; project writes them, NAME.w.npz"
        ) from None


def sheets(folder: Path, most: int) -> list[tuple[Path, str]]:
    """Of a folder that ``project_files`` has written the sheets, the first so many, each with its figures in words."""
    shown = []
    for sheet in sorted(folder.rglob("*.png"))[:most]:
        told = []
        for space in SPACES:
            with contextlib.suppress(ValueError):  # of what is not there, or damaged, there is nothing to tell
                own = read(sheet.with_name(f"{sheet.stem}.{space}.npz"))
                likeness = f"PSNR {own.psnr:.2f} dB" + ("" if np.isnan(own.ssim) else f", SSIM {own.ssim:.3f}")
                told.append(f"{space}: {likeness}, at step {own.protocol['checkpoint']:,}")
        if told:
            shown.append((sheet, "; ".join(told)))
    return shown

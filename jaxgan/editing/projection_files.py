"""Files of projections: the styles and noise maps that were found for an image, with their figures.

NAME.w.npz, or NAME.w+.npz, has ``ws``, [num_ws, w]; ``noise_0`` and so on, maps [h, w]; ``loss_history``, [steps];
``psnr`` and ``ssim``; and ``protocol``, JSON. NAME.png beside it shows the image and its projections.
"""

import contextlib
import json
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgan.core.files import writing_out
from jaxgan.editing.inversion import SPACES


class SavedProjection(NamedTuple):
    """The contents of a projection file.

    Attributes:
      ws: styles, [num_ws, w].
      noise: maps, [h, w] each.
      loss_history: the loss at each step, [steps].
      psnr, ssim: of the image and its target; ``ssim`` is NaN for images smaller than its window.
      protocol: what the projection depends on: checkpoint, space, steps, seed and so on.
    """

    ws: np.ndarray
    noise: tuple[np.ndarray, ...]
    loss_history: np.ndarray
    psnr: float
    ssim: float
    protocol: dict[str, Any]


def write_projection(path: Path, projection: SavedProjection) -> None:
    """Write a projection file, NAME.w.npz.

    Raises:
      OSError: it cannot be written.
    """
    maps: dict[str, Any] = {f"noise_{i}": x for i, x in enumerate(projection.noise)}
    with writing_out(path), path.open("wb") as file:
        np.savez(
            file,
            ws=projection.ws,
            loss_history=projection.loss_history,
            psnr=projection.psnr,
            ssim=projection.ssim,
            protocol=json.dumps(projection.protocol),
            **maps,
        )


def read_projection(path: Path) -> SavedProjection:
    """Read a file that ``write_projection`` wrote.

    Raises:
      ValueError: there is no such file, or it is not a projection's.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            maps = [name for name in file.files if name.startswith("noise_")]
            protocol = dict(json.loads(str(file["protocol"])))
            if "checkpoint" not in protocol:
                raise KeyError("checkpoint")
            return SavedProjection(
                ws=file["ws"],
                noise=tuple(file[f"noise_{i}"] for i in range(len(maps))),
                loss_history=file["loss_history" if "loss_history" in file.files else "course"],  # the older name
                psnr=float(file["psnr"]),
                ssim=float(file["ssim"]),
                protocol=protocol,
            )
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file; project writes NAME.w.npz") from None
    except (ValueError, KeyError, OSError, EOFError, TypeError, AttributeError, zipfile.BadZipFile):
        raise ValueError(
            f"{path}: not a projection's file, or a damaged one; project writes them, NAME.w.npz"
        ) from None


def read_sheets(folder: Path, limit: int) -> list[tuple[Path, str]]:
    """The pictures NAME.png of a folder of projections, each with its figures in words.

    Args:
      folder: where the command ``project`` wrote its files.
      limit: the largest number of pictures.
    """
    sheets = []
    for sheet in sorted(folder.rglob("*.png"))[:limit]:
        captions = []
        for space in SPACES:
            with contextlib.suppress(ValueError):  # the file of this space may be missing, or damaged
                projection = read_projection(sheet.with_name(f"{sheet.stem}.{space}.npz"))
                figures = f"PSNR {projection.psnr:.2f} dB"
                if not np.isnan(projection.ssim):
                    figures += f", SSIM {projection.ssim:.3f}"
                captions.append(f"{space}: {figures}, at step {projection.protocol['checkpoint']:,}")
        if captions:
            sheets.append((sheet, "; ".join(captions)))
    return sheets

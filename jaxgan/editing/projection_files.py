"""Write and read files of projections: the styles and noise maps that reproduce an image, with their PSNR and SSIM.

The name of a file is NAME.w.npz or NAME.w+.npz, depending on the space of the styles, where NAME is the name of the
target image without its suffix. The file contains these arrays:

- ``ws``: the styles, [num_ws, w];
- ``noise_0``, ``noise_1`` and so on: the noise maps, each [h, w];
- ``loss_history``: the loss at each step, [steps];
- ``psnr`` and ``ssim``: the scores; and
- ``protocol``: a description of the projection, as JSON.

The file NAME.png in the same folder shows the target image beside the images that its projections generate.
"""

import contextlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgan.core.array_archives import read_npz
from jaxgan.core.files import writing_out
from jaxgan.core.json_files import parse_json
from jaxgan.editing.inversion import SPACES


class SavedProjection(NamedTuple):
    """The contents of a projection file.

    Attributes:
      ws: styles, [num_ws, w].
      noise: the noise maps of all layers, each [h, w].
      loss_history: the loss at each step, [steps].
      psnr: PSNR between the generated image and the target, in dB.
      ssim: SSIM between the generated image and the target; NaN if the image is smaller than the window of SSIM.
      protocol: everything that the projection depends on, such as the checkpoint, the space, the number of steps and
        the seed.
    """

    ws: np.ndarray
    noise: tuple[np.ndarray, ...]
    loss_history: np.ndarray
    psnr: float
    ssim: float
    protocol: dict[str, Any]


def write_projection(path: Path, projection: SavedProjection) -> None:
    """Write a projection file, such as NAME.w.npz.

    Args:
      path: the file to write. It is replaced if it exists.
      projection: the contents of the file.

    Raises:
      OSError: if the file cannot be written.
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

    Args:
      path: the file to read.

    Raises:
      ValueError: if the file is missing, damaged or not a projection file.
    """
    try:
        arrays = read_npz(path)
        maps = [name for name in arrays if name.startswith("noise_")]
        protocol = parse_json(str(arrays["protocol"]), "The protocol", {"checkpoint": int})
        return SavedProjection(
            ws=arrays["ws"],
            noise=tuple(arrays[f"noise_{i}"] for i in range(len(maps))),
            loss_history=arrays["loss_history" if "loss_history" in arrays else "course"],  # older name
            psnr=float(arrays["psnr"]),
            ssim=float(arrays["ssim"]),
            protocol=protocol,
        )
    except FileNotFoundError:
        raise ValueError(
            f"{path} does not exist. Create a projection file, such as NAME.w.npz, with `jaxgan project`."
        ) from None
    except (ValueError, KeyError, OSError, TypeError, RecursionError):
        raise ValueError(
            f"{path} is not a projection file, or it is damaged. Create a projection file, such as NAME.w.npz, with "
            "`jaxgan project`."
        ) from None


def read_sheets(folder: Path, limit: int) -> list[tuple[Path, str]]:
    """Return the images that show targets beside their projections, each with a caption (PSNR and SSIM).

    Args:
      folder: the folder in which ``jaxgan project`` stored its results.
      limit: maximum number of images.
    """
    sheets = []
    for sheet in sorted(folder.rglob("*.png"))[:limit]:
        captions = []
        for space in SPACES:
            with contextlib.suppress(ValueError):  # the file of this space can be missing or damaged
                projection = read_projection(sheet.with_name(f"{sheet.stem}.{space}.npz"))
                figures = f"PSNR {projection.psnr:.2f} dB"
                if not np.isnan(projection.ssim):
                    figures += f", SSIM {projection.ssim:.3f}"
                captions.append(f"{space}: {figures}, at step {projection.protocol['checkpoint']:,}")
        if captions:
            sheets.append((sheet, "; ".join(captions)))
    return sheets

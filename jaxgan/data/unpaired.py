"""Load unpaired examples of two domains: inputs, and images of the domain that the inputs are translated to."""

from pathlib import Path

from jaxgan.core import extras
from jaxgan.data import datasets
from jaxgan.data.loading import cache_if_small, load as load_one, resize_source
from jaxgan.data.source import Unpaired


def load(
    data: str,
    data_a: str | None = None,
    *,
    resolution: int | None = None,
    channels: int | None = None,
    split: str = "train",
    data_dir: str | None = None,
) -> Unpaired:
    """Return the images that ``data`` names and the inputs that ``data_a`` names, as an unpaired source.

    Args:
      data: if ``data_a`` is given, the images, see ``jaxgan.data.load``. Otherwise, both domains: a data set of
        TensorFlow Datasets (TFDS) with the splits trainA and trainB, such as ``cycle_gan/horse2zebra``, or a folder
        that contains the folders trainA and trainB. Domain A contains the inputs, and domain B contains the images.
      data_a: the inputs; None if ``data`` contains both domains.
      resolution: height and width of all images in pixels; None keeps their own size.
      channels: number of channels of image files: 1, 3 or 4. None uses 1 for a domain if all its files are grey, and 3
        otherwise.
      split: ``train`` or ``test``. If ``data_a`` is given, any split that ``jaxgan.data.load`` accepts.
      data_dir: the folder of prepared TFDS data sets; None uses the default of TFDS.

    Raises:
      ValueError: if the data do not exist or cannot be used. The message explains why.
    """
    if data_a is not None:
        inputs, images = (
            load_one(name, resolution=resolution, channels=channels, split=split, data_dir=data_dir, argument=argument)
            for name, argument in ((data_a, "data_a"), (data, "data"))
        )
        return Unpaired(images=images, inputs=inputs)
    path = Path(data)
    if path.exists():
        if missing := [name for name in (f"{split}A", f"{split}B") if not (path / name).is_dir()]:
            raise ValueError(
                f"`data` {data!r} must contain the folders {split}A with the inputs and {split}B with the images, but "
                f"{' and '.join(missing)} cannot be found. If the inputs are somewhere else, pass them as `data_a`."
            )
        inputs, images = (
            load_one(str(path / f"{split}{domain}"), resolution=resolution, channels=channels) for domain in "AB"
        )
        return Unpaired(images=images, inputs=inputs)
    try:
        inputs, images = (
            cache_if_small(datasets.load(data, f"{split}{domain}", data_dir, resolution)) for domain in "AB"
        )
    except extras.MissingPackageError:
        raise
    except ValueError as error:
        raise ValueError(f"{error} Alternatively, pass the inputs as `data_a`.") from None
    return Unpaired(
        images=resize_source(images, resolution, channels), inputs=resize_source(inputs, resolution, channels)
    )

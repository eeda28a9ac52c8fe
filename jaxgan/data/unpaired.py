"""Load unpaired examples of two domains: inputs, and images of the domain that the inputs are translated to."""

from pathlib import Path

from jaxgan.core import extras
from jaxgan.data import datasets
from jaxgan.data.folders import is_image_store
from jaxgan.data.images import ImageFiles
from jaxgan.data.layouts import find_split, has_domains, select_domain
from jaxgan.data.loading import cache_if_small, check_resolution, load as load_one, resize_source
from jaxgan.data.source import Unpaired


def load(
    data: str,
    data_a: str | None = None,
    *,
    resolution: int | None = None,
    channels: int | None = None,
    split: str = "train",
    data_dir: str | None = None,
    argument: str = "data",
    jpeg_draft: bool = False,
) -> Unpaired:
    """Return the images that ``data`` names and the inputs that ``data_a`` names, as an unpaired source.

    Args:
      data: if ``data_a`` is given, the images, see ``jaxgan.data.load``. Otherwise, both domains: a data set of
        TensorFlow Datasets (TFDS) with the splits trainA and trainB, such as ``cycle_gan/horse2zebra``, or a folder
        or zip that contains the folders trainA and trainB, or other folders of the domains A and B; see
        ``jaxgan.data.layouts``. Domain A contains the inputs, and domain B contains the images.
      data_a: the inputs; None if ``data`` contains both domains.
      resolution: height and width of all images in pixels; None keeps their own size.
      channels: number of channels of image files: 1, 3 or 4. None uses 1 for a domain if all its files are grey, and 3
        otherwise.
      split: ``train`` or ``test``. If ``data_a`` is given, any split that ``jaxgan.data.load`` accepts.
      data_dir: the folder of prepared TFDS data sets; None uses the default of TFDS.
      argument: the name of the caller's argument for ``data``, for messages. The name for ``data_a`` ends with ``_a``.
      jpeg_draft: whether large JPEG files are decoded at a fraction of their size, see ``jaxgan.data.load``.

    Raises:
      ValueError: if the data do not exist or cannot be used. The message explains why.
    """
    if data_a is not None:
        inputs, images = (
            load_one(
                name,
                resolution=resolution,
                channels=channels,
                split=split,
                data_dir=data_dir,
                argument=blamed,
                jpeg_draft=jpeg_draft,
            )
            for name, blamed in ((data_a, f"{argument}_a"), (data, argument))
        )
        return Unpaired(images=images, inputs=inputs)
    path = Path(data)
    if path.exists():
        both = find_split(path, split) if is_image_store(path) else None
        if both is None or not has_domains(both):
            raise ValueError(
                f"`{argument}` {data!r} must contain the folders {split}A with the inputs and {split}B with the "
                f"images, or the folders A and B in {split}. If the inputs are somewhere else, pass them as "
                f"`{argument}_a`."
            )
        check_resolution(resolution)
        inputs, images = (
            cache_if_small(
                ImageFiles(select_domain(both, domain), resolution, channels, labelled=False, jpeg_draft=jpeg_draft)
            )
            for domain in "AB"
        )
        return Unpaired(images=images, inputs=inputs)
    try:
        inputs, images = (
            cache_if_small(datasets.load(data, f"{split}{domain}", data_dir, resolution, argument)) for domain in "AB"
        )
    except extras.MissingPackageError:
        raise
    except ValueError as error:
        raise ValueError(f"{error} Alternatively, pass the inputs as `{argument}_a`.") from None
    return Unpaired(
        images=resize_source(images, resolution, channels), inputs=resize_source(inputs, resolution, channels)
    )

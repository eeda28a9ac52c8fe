"""Unpaired examples of two domains: inputs, and images that inputs are to be made like."""

from pathlib import Path

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
    """The two sets that ``data`` and ``data_a`` name.

    Args:
      data: the images, see ``jaxgan.data.load``. Or, without ``data_a``, both sets: a TFDS dataset with splits trainA
        and trainB, such as ``cycle_gan/horse2zebra``, or a folder with folders of these names; A has the inputs.
      data_a: the inputs.
      resolution: make all images this high and wide; None keeps their own size.
      channels: of image files: 1, 3 or 4; None is 1 if all of a set are grey, else 3.
      split: ``train`` or ``test``; of two sets as in ``jaxgan.data.load``.
      data_dir: where TFDS datasets are prepared; None is TFDS's own default.

    Raises:
      ValueError: there is no such data, or it cannot be used; the message says why.
    """
    if data_a is not None:
        inputs, images = (
            load_one(name, resolution=resolution, channels=channels, split=split, data_dir=data_dir)
            for name in (data_a, data)
        )
        return Unpaired(images=images, inputs=inputs)
    path = Path(data)
    if path.exists():
        if missing := [name for name in (f"{split}A", f"{split}B") if not (path / name).is_dir()]:
            raise ValueError(
                f"`data` {data!r}: no folder {' and no '.join(missing)} in it; unpaired examples are two sets, `data` "
                "and `data_a`, or one folder with both, inputs in trainA and images in trainB."
            )
        inputs, images = (
            load_one(str(path / f"{split}{domain}"), resolution=resolution, channels=channels) for domain in "AB"
        )
        return Unpaired(images=images, inputs=inputs)
    try:
        inputs, images = (
            cache_if_small(datasets.load(data, f"{split}{domain}", data_dir, resolution)) for domain in "AB"
        )
    except ValueError as error:
        raise ValueError(f"{error}; or name the inputs as `data_a`.") from None
    return Unpaired(
        images=resize_source(images, resolution, channels), inputs=resize_source(inputs, resolution, channels)
    )

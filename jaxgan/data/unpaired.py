"""Unpaired examples of two domains: inputs, and images that they are to be made like; none belongs to another."""

from pathlib import Path

from jaxgan.data import datasets
from jaxgan.data.load import kept, load as load_one, sized
from jaxgan.data.source import Unpaired


def load(
    data: str,
    inputs: str | None = None,
    *,
    size: int | None = None,
    channels: int | None = None,
    split: str = "train",
    data_dir: str | None = None,
) -> Unpaired:
    """The two sets that ``data`` and ``inputs`` name.

    Args:
      data: of the images, see ``jaxgan.data.load``. Or, without ``inputs``, of both: a TFDS dataset with splits trainA
        and trainB, such as ``cycle_gan/horse2zebra``, or a folder with folders of these names; A has the inputs.
      inputs: of the inputs.
      size: make all this size, square; None keeps their own.
      channels: of image files: 1, 3 or 4; None decides by what they are, in each set by itself.
      split: ``train`` or ``test``; of two sets as ``jaxgan.data.load`` has it.
      data_dir: where TFDS datasets are prepared; None is TFDS's own default.

    Raises:
      ValueError: there is no such data, or it cannot be used; it says what and why.
    """
    if inputs is not None:
        ours, theirs = (
            load_one(name, size=size, channels=channels, split=split, data_dir=data_dir) for name in (inputs, data)
        )
        return Unpaired(images=theirs, inputs=ours)
    path = Path(data)
    if path.exists():
        if missing := [name for name in (f"{split}A", f"{split}B") if not (path / name).is_dir()]:
            raise ValueError(
                f"data {data!r}: no folder {' and no '.join(missing)} in it; unpaired examples are two sets, data and "
                "inputs, or one folder with both, inputs in trainA and images in trainB"
            )
        ours, theirs = (load_one(str(path / f"{split}{x}"), size=size, channels=channels) for x in "AB")
        return Unpaired(images=theirs, inputs=ours)
    try:
        ours, theirs = (kept(datasets.load(data, f"{split}{x}", data_dir, size)) for x in "AB")
    except ValueError as error:
        raise ValueError(f"{error}; or name the inputs' own data too") from None
    return Unpaired(images=sized(theirs, size, channels), inputs=sized(ours, size, channels))

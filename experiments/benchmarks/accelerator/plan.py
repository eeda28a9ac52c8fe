"""The measurements in the order of their importance. This module does not import JAX."""

from collections.abc import Collection
from typing import NamedTuple


class Measurement(NamedTuple):
    """A measurement.

    Attributes:
      part: the kind of measurement, a key of ``PARTS``.
      detail: the argument of the measurement, such as the name of a game; an empty text if there is none.
      share: its share of the time, relative to the shares of the other measurements.
      small: whether the small form of the program makes this measurement, too.
    """

    part: str
    detail: str
    share: float
    small: bool = True

    @property
    def name(self) -> str:
        """The name of the measurement in messages."""
        return f"{self.part} {self.detail}".strip()


# Titles of the sections of results.md.
PARTS = {
    "device": "Versions and devices",
    "products": "Accuracy and speed of matrix products",
    "maps": "Convolutions and R1 against the CPU",
    "step": "Training steps",
    "pytorch": "PyTorch",
    "calls": "Steps per call",
    "jpeg": "Training from JPEG files",
    "training": "A short training",
}

PLAN = (
    Measurement("device", "", 2),
    Measurement("products", "", 4),
    Measurement("maps", "float32", 8),
    Measurement("step", "dcgan64", 6),
    Measurement("step", "stylegan2", 22),
    Measurement("step", "r3gan", 10),
    Measurement("step", "cyclegan", 12),
    Measurement("pytorch", "dcgan64", 12),
    Measurement("calls", "toy", 3),
    Measurement("calls", "dcgan64", 5, small=False),
    Measurement("jpeg", "", 7),
    Measurement("training", "", 9),
    Measurement("maps", "bfloat16", 5),
    Measurement("step", "dcgan64 bfloat16", 4, small=False),
    Measurement("step", "stylegan2 bfloat16", 14, small=False),
    Measurement("step", "r3gan bfloat16", 7, small=False),
    Measurement("step", "cyclegan bfloat16", 8, small=False),
    Measurement("step", "stylegan2 low-penalties", 12, small=False),
    Measurement("step", "r3gan low-penalties", 6, small=False),
    Measurement("step", "r3gan highest", 6, small=False),
    Measurement("pytorch", "dcgan32_r1", 6, small=False),
)


def make_plan(small: bool = False, parts: Collection[str] = ()) -> list[Measurement]:
    """Return the measurements to make. The first one is always the device.

    Args:
      small: whether to leave out measurements that the small form does not make, such as "step stylegan2 bfloat16".
      parts: the parts to measure, keys of ``PARTS``; all parts if empty.
    """
    kept = [m for m in PLAN if not parts or m.part in (*parts, "device")]
    return [m for m in kept if m.small or not small]

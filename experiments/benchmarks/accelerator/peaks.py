"""The peak speed of well-known chips, in TFLOP/s of dense products, as their makers state it in data sheets.

A device of JAX is a complete chip, except on TPU v2 and v3, where it is one of the two cores of a chip. The numbers of
NVIDIA's data sheets that include sparsity are halved.
"""

from typing import Literal

Kind = Literal["float32", "tf32", "bfloat16"]

# Maps the beginning of JAX's ``device_kind`` to the peaks for float32, TF32 and bfloat16; None if the chip has no such
# units. The first entry that matches is used, so longer names come before shorter ones.
PEAKS: dict[str, tuple[float | None, float | None, float | None]] = {
    "NVIDIA B200": (75, 1100, 2250),
    "NVIDIA GH200": (67, 494.7, 989.4),
    "NVIDIA H200": (67, 494.7, 989.4),
    "NVIDIA H100 PCIe": (51.2, 378, 756),
    "NVIDIA H100 NVL": (60, 417.5, 835.5),
    "NVIDIA H100": (67, 494.7, 989.4),
    "NVIDIA A100": (19.5, 156, 312),
    "NVIDIA A10G": (35, 35, 70),
    "NVIDIA A10": (31.2, 62.5, 125),
    "NVIDIA L40S": (91.6, 183, 362),
    "NVIDIA L4": (30.3, 60, 121),
    "NVIDIA GeForce RTX 4090": (82.6, 82.6, 165.2),
    "NVIDIA GeForce RTX 3090": (35.6, 35.6, 71),
    "Tesla V100": (15.7, None, None),
    "Tesla T4": (8.1, None, None),
    "TPU v2": (None, None, 22.5),
    "TPU v3": (None, None, 61.5),
    "TPU v4": (None, None, 275),
    "TPU v5 lite": (None, None, 197),
    "TPU v5e": (None, None, 197),
    "TPU v5": (None, None, 459),
    "TPU v6": (None, None, 918),
}


def peak_tflops(device_kind: str, kind: Kind) -> float | None:
    """Return the peak speed of a chip, or None if it is unknown.

    >>> peak_tflops("NVIDIA A100-SXM4-80GB", "tf32"), peak_tflops("cpu", "float32")
    (156, None)

    Args:
      device_kind: JAX's name of the chip.
      kind: the type to which the numbers of the products are rounded.
    """
    for name, peaks in PEAKS.items():
        if device_kind.startswith(name):
            return dict(zip(("float32", "tf32", "bfloat16"), peaks))[kind]
    return None


def rounding(platform: str, device_kind: str, dtype: str, precision: str) -> Kind:
    """Return the type to which a device rounds the numbers of a product.

    Args:
      platform: JAX's name of the platform: cpu, gpu or tpu.
      device_kind: JAX's name of the chip.
      dtype: type of the arrays, float32 or bfloat16.
      precision: JAX's name of the precision: default, high or highest.
    """
    if dtype == "bfloat16" or (platform == "tpu" and precision == "default"):
        return "bfloat16"
    if platform == "gpu" and precision != "highest" and peak_tflops(device_kind, "tf32"):
        return "tf32"
    return "float32"

"""Describe the machine on which the trials run."""

import datetime
import os
import platform

from jaxgan.core import system


def describe() -> str:
    """Return the date, the processor, the operating system and the versions as one line."""
    models = [line.partition(":")[2].strip() for line in system.cpuinfo() if line.startswith("model name")]
    processor = models[0] if models else platform.processor()
    versions = system.versions()
    return (
        f"{datetime.date.today().isoformat()}; {os.cpu_count()} cores of {processor}; {platform.system()} "
        f"{platform.release()}; Python {versions['python']}, jax {versions['jax']}, jaxgan {versions['jaxgan']}"
    )

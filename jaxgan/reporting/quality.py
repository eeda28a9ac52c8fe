"""Read the metrics that ``jaxgan evaluate`` computed, for the report of a run."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxgan.core.json_files import read_json
from jaxgan.evaluation import format_protocol
from jaxgan.evaluation.metric_names import with_current_names
from jaxgan.reporting.captions import format_number

FILE = "evaluation.json"


def read_quality(path: Path) -> dict[str, Any] | None:
    """Read the metrics of a run.

    Args:
      path: the directory of the run.

    Returns:
      A dictionary with ``title``, ``figures`` and ``notes``, or None if the run has no ``evaluation.json``. Each figure
      is a pair of the name of a metric and its value as text, with the standard deviation if there is one. The notes
      are lines about the sets that were compared and the features. A damaged file has a note and no figures.
    """
    file = path / FILE
    if not file.is_file():
        return None
    try:
        result = with_current_names(read_json(file, dict))
        samples, notes = result["protocol"]["samples"], format_protocol(result["protocol"])
        where = f" at step {samples['step']:,}" if "step" in samples else ""
        values = {name: float(value) for name, value in result.items() if name != "protocol"}
    except (AttributeError, KeyError, TypeError, ValueError):
        return {"title": "Quality", "figures": [], "notes": [f"The file {FILE} of this run is damaged."]}
    return {"title": f"Quality{where}", "figures": _figures(values), "notes": notes}


def _figures(values: Mapping[str, float]) -> list[list[str]]:
    found = []
    for name, value in values.items():
        if name.endswith("_std") and name.removesuffix("_std") in values:
            continue
        text = format_number(value, ".4g") if math.isfinite(value) else "not finite"
        spread = values.get(f"{name}_std", math.nan)
        found.append([name, f"{text} \u00b1 {spread:.2g}" if math.isfinite(spread) else text])
    return found

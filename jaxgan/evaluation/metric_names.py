"""Names of figures, which say what features a figure was measured with, and figures as lines of text.

A published name stands for the network that it was published with, so that no figure is compared with one that it
does not compare with:

- ``fid``, ``kid`` and ``mifid`` are measured with Inception's 2,048 features. With another of its layers they are
  ``fid_64``, ``fid_192``, ``fid_768`` and so on; with any other network ``fd_``, ``kd_`` and ``mifd_`` with the
  network's name, as in ``fd_classifier``.
- ``is`` is measured with Inception's logits; with another network's it is ``is_classifier`` and so on.
- ``ppl`` was published with LPIPS, which is not used here; so its name always has the features: ``ppl_2048``,
  ``ppl_classifier``.
- All others keep their names, because their authors chose no network: ``precision``, ``recall``, ``density``,
  ``coverage``, ``authenticity``, ``modes``, ``ms_ssim``, ``cas``, and those of pixels.

A standard deviation has its figure's name and ``_std``.
"""

from collections.abc import Mapping
from typing import Any

INCEPTION = "inception-v3-2015-12-05"
PUBLISHED_LAYER = 2048
_OTHER_NETWORKS = {"fid": "fd", "kid": "kd", "mifid": "mifd", "is": "is", "ppl": "ppl"}
_OLDER_NAMES = {"kid_deviation": "kid_std", "is_deviation": "is_std"}


def figure_name(name: str, protocol: Mapping[str, Any]) -> str:
    """The name of a figure that was measured with the features of a protocol, by the rule of this module.

    Args:
      name: the published name, ``fid`` or ``kid_std``; other names, and those with features in them, stay.
      protocol: the features' own, ``{"features": network, "layer": ...}``; without ``features`` the name stays.

    >>> figure_name("fid", {"features": "inception-v3-2015-12-05", "layer": 768})
    'fid_768'
    >>> figure_name("kid_std", {"features": "classifier"})
    'kd_classifier_std'
    """
    published = name.removesuffix("_std")
    network = protocol.get("features")
    if published not in _OTHER_NETWORKS or network is None:
        return name
    if network != INCEPTION:
        current = f"{_OTHER_NETWORKS[published]}_{network}"
    elif published == "is" or (published != "ppl" and protocol.get("layer") == PUBLISHED_LAYER):
        current = published
    else:
        current = f"{published}_{protocol.get('layer')}"
    return current + name.removeprefix(published)


def with_current_names(result: Mapping[str, Any]) -> dict[str, Any]:
    """Figures with their ``protocol``, also those of an earlier version, which called every distance ``fid``."""
    protocol = result.get("protocol")
    if not isinstance(protocol, Mapping):
        return dict(result)
    return {figure_name(_OLDER_NAMES.get(name, name), protocol): value for name, value in result.items()}


def format_result(result: Mapping[str, Any]) -> list[str]:
    """Lines for people: each figure, then which sets were compared, then the features that were used."""
    protocol = result["protocol"]
    sets = [f"{protocol[name]['count']:,} of {protocol[name]['name']}" for name in ("samples", "data")]
    lines = [f"{name} {value:.6g}" for name, value in result.items() if name != "protocol"]
    lines.append("  " + " against ".join(sets))
    if "features" in protocol:
        keys = ("layer", "trained_on", "accuracy", "weights", "resize")
        details = [f"{key.replace('_', ' ')} {_abbreviate(protocol[key])}" for key in keys if key in protocol]
        lines.append("  " + ", ".join([str(protocol["features"]), *details]))
    return lines


def _abbreviate(value: Any) -> str:
    """A number with four digits; the first eight digits of a SHA-256, which are what people compare."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return value[:8] if isinstance(value, str) and len(value) == 64 else str(value)

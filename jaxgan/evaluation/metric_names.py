"""Name metrics after the features that they were measured with, and format metrics as lines of text.

A published name is used only with the network that the metric was published with, so that incomparable numbers have
different names:

- ``fid``, ``kid`` and ``mifid`` are measured with Inception's 2,048 features. With another layer of Inception, the name
  ends with its number of features: ``fid_64``, ``fid_192`` or ``fid_768``. With another network, the name is ``fd_``,
  ``kd_`` or ``mifd_`` and the network's name, such as ``fd_classifier``.
- ``is`` is measured with Inception's logits. With another network, the name ends with the network's name, such as
  ``is_classifier``.
- ``ppl`` was published with LPIPS, which jaxgan does not use. Its name always ends with the features, such as
  ``ppl_2048`` or ``ppl_classifier``.
- All other metrics have the same name with every network, because their authors did not prescribe a network:
  ``precision``, ``recall``, ``density``, ``coverage``, ``authenticity``, ``modes``, ``ms_ssim``, ``cas``, and metrics
  of pixels.

The name of a standard deviation is the name of the metric followed by ``_std``.
"""

from collections.abc import Mapping
from typing import Any

INCEPTION = "inception-v3-2015-12-05"
PUBLISHED_LAYER = 2048
_OTHER_NETWORKS = {"fid": "fd", "kid": "kd", "mifid": "mifd", "is": "is", "ppl": "ppl"}
_OLDER_NAMES = {"kid_deviation": "kid_std", "is_deviation": "is_std"}


def figure_name(name: str, protocol: Mapping[str, Any]) -> str:
    """Return the name of a metric that was measured with the given features, by the rules of this module.

    Args:
      name: published name, such as ``fid`` or ``kid_std``. Other names, and names that already contain the features,
        are returned unchanged.
      protocol: the protocol of the feature extractor. Its entry ``features`` is the name of the network, and the entry
        ``layer`` is the layer of Inception. If ``features`` is missing, the name is returned unchanged.

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
    """Rename the metrics of a result to their current names.

    Earlier versions of jaxgan used the name ``fid`` with all features. A result without a ``protocol`` is returned
    unchanged.

    Args:
      result: a dictionary from the names of metrics to their values, with the entry ``protocol``.
    """
    protocol = result.get("protocol")
    if not isinstance(protocol, Mapping):
        return dict(result)
    return {figure_name(_OLDER_NAMES.get(name, name), protocol): value for name, value in result.items()}


def format_result(result: Mapping[str, Any]) -> list[str]:
    """Return lines of text with each metric, the sets that were compared, and the features that were used.

    Args:
      result: a dictionary from the names of metrics to their values, with the entry ``protocol``.
    """
    lines = [f"{name} {value:.6g}" for name, value in result.items() if name != "protocol"]
    return lines + [f"  {line}" for line in format_protocol(result["protocol"])]


def format_protocol(protocol: Mapping[str, Any]) -> list[str]:
    """Return lines of text with the sets that were compared, and the features that were used.

    >>> sets = {"samples": {"count": 100, "name": "dcgan"}, "data": {"count": 1797, "name": "digits"}}
    >>> format_protocol({**sets, "features": "classifier", "accuracy": 0.98764})
    ['100 of dcgan against 1,797 of digits', 'classifier, accuracy 0.9876']

    Args:
      protocol: the protocol of the metrics, as ``quality.evaluate`` returns it.
    """
    sets = [f"{protocol[name]['count']:,} of {protocol[name]['name']}" for name in ("samples", "data")]
    lines = [" against ".join(sets) + _describe_split(protocol["data"])]
    if protocol.get("equal_features"):
        lines.append("The two sets have equal features, so they are probably the same images.")
    if "features" in protocol:
        keys = ("layer", "trained_on", "accuracy", "weights", "resize")
        details = [f"{key.replace('_', ' ')} {_abbreviate(protocol[key])}" for key in keys if key in protocol]
        lines.append(", ".join([str(protocol["features"]), *details]))
    return lines


def _describe_split(data: Mapping[str, Any]) -> str:
    """Return which examples of a run the samples were compared with, or "" if they are not the data of a run."""
    if "split" not in data:
        return ""
    return f" ({data['split']} examples, {'' if data['trained_on'] else 'not '}trained on)"


def _abbreviate(value: Any) -> str:
    """Return a float with four significant digits, the first eight digits of a SHA-256 digest, or the value as text."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return value[:8] if isinstance(value, str) and len(value) == 64 else str(value)

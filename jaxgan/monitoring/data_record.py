"""Record the data of a run, and check that a run is used with the data that it was started with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxgan.core.text import warn_once
from jaxgan.data.description import describe_examples, find_difference, is_decoder_changed
from jaxgan.experiment.experiment import Experiment
from jaxgan.experiment.settings import CommonSettings

TEST = "test"  # the entry of the record for the images that an experiment translates, if they are not its examples


def describe_data(experiment: Experiment, config: CommonSettings) -> dict[str, Any]:
    """Return the record of the data of an experiment.

    Args:
      experiment: the experiment, before examples are held out.
      config: the settings of the experiment. The record of a differentially private run has no hashes, because a hash
        would prove to anyone who has the examples that the run was trained on them.

    Returns:
      The result of ``describe_examples`` for the training examples, and the entry ``conditional``, which says whether
      the networks use the classes. If the experiment translates other images for its samples, the entry ``test`` has
      the description of these images.

    Raises:
      ValueError: if an example cannot be read.
    """
    with_hash = not config.dp_noise_multiplier
    record = describe_examples(experiment.source, with_hash=with_hash)
    record["conditional"] = bool(experiment.sampling.classes)
    if experiment.inputs is not None and experiment.inputs is not experiment.source:
        record[TEST] = describe_examples(experiment.inputs, with_hash=with_hash)
    return record


def check_data(path: Path, recorded: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Check that data are the data of a run. The classes are compared only if the networks use them.

    Args:
      path: the directory of the run, for messages.
      recorded: the record of the data in the run's config.json. It can lack entries, because older versions of jaxgan
        recorded less; these entries are not compared.
      now: the result of ``describe_data``.

    Raises:
      ValueError: if the data differ from the record. The message says by what. If only the hash differs, and another
        version of a decoder could be the reason, a warning is printed instead.
    """
    if not now.get("conditional", True):
        recorded = {name: value for name, value in recorded.items() if name != "classes"}
    for argument, before, after in (
        ("data", recorded, now),
        ("test_data", recorded.get(TEST, {}), now.get(TEST, {})),
    ):
        difference = find_difference(before, after)
        if not difference:
            continue
        changed = f"`{argument}` has changed since the run in {path} was started: {difference}."
        if not is_decoder_changed(before, after) or "hash" not in difference:
            raise ValueError(
                f"{changed} Restore the data, or pass the place of the same data as `{argument}`. To train with other "
                "data, use `fresh` to replace the run, or choose another `run_dir`."
            )
        versions = f"{before['hash']['decoder']} before, {after['hash']['decoder']} now"
        warn_once(
            f"{changed} The programs that decode images have other versions ({versions}), so the files may be the "
            "same. Check that they are."
        )

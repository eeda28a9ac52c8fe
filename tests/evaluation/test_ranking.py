"""Check that every metric ranks real examples above generated samples, and generated samples above noise.

The tests are slow, because they train the generators.
"""

import numpy as np
import pytest
from helpers import files, programs

from jaxgan import data
from jaxgan.data import Arrays
from jaxgan.data.source import Subset, read_into_memory
from jaxgan.evaluation import scores
from jaxgan.evaluation.classifier import train_classifier

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:kid|.*splits")]

SETS = ("fid", "kid", "mifid", "prdc", "is", "modes")
LOWER = ("fd_classifier", "kd_classifier", "mifd_classifier", "modes_kl")
HIGHER = ("precision", "recall", "density", "coverage", "is_classifier")
# Flags of the training of DCGAN. On MNIST it is a fifth of the usual training. The samples are then clearly better than
# noise and clearly worse than real examples.
RUNS = {"digits": [], "mnist": ["--base-resolution", 7, "--steps", 1500]}
LABELLED = {"digits": [], "mnist": ["--steps", 2000]}  # flags of the training of the conditional GAN


def halves(source: Arrays, max_count=5000) -> tuple[Arrays, Arrays]:
    """Return two disjoint sets of real examples, with at most ``max_count`` examples each."""
    order = np.random.default_rng(0).permutation(len(source))
    size = min(max_count, len(source) // 2)
    one, other = (read_into_memory(Subset(source, np.sort(part))) for part in (order[:size], order[size : 2 * size]))
    return one, other


def noise(like: Arrays) -> Arrays:
    """Return uniform uint8 images of the same shape, with all labels equally often."""
    images = np.random.default_rng(0).integers(0, 256, like.images.shape, np.uint8)
    return Arrays(images, np.arange(len(images), dtype=np.int32) % len(like.classes), "noise", like.classes)


def draw_samples(name: str, flags, reals: Arrays, tmp_path) -> Arrays:
    """Train an experiment on real examples, and return the same number of samples.

    The metrics compare both with other real examples, which are not used for training.
    """
    file = tmp_path / "reals.npz"
    np.savez(file, images=reals.images, labels=reals.labels)
    run, out = tmp_path / name, tmp_path / f"{name}.npz"
    programs.done("--data", file, *flags, "--run-dir", run, "--quiet", experiment=name)
    programs.done("sample", "--run-dir", run, "--count", len(reals), "--out", out, experiment=name)
    return read_into_memory(data.load(str(out)))


def assert_ranking(names, kinds, other, features) -> None:
    """Assert that each metric is better for real examples than for samples, and better for samples than for noise."""
    found = {kind: scores.compare(source, other, names, features) for kind, source in kinds.items()}
    for metric in (name for name in found["reals"] if name in LOWER + HIGHER + ("cas",)):
        reals, samples, noises = (found[kind][metric] for kind in ("reals", "samples", "noise"))
        print(f"{metric:10} reals {reals:10.5g}   samples {samples:10.5g}   noise {noises:10.5g}")
    for metric in (name for name in found["reals"] if name in LOWER + HIGHER + ("cas",)):
        order = [found[kind][metric] for kind in ("reals", "samples", "noise")]
        assert order == sorted(order, reverse=metric not in LOWER), metric


@pytest.fixture(params=["digits", "mnist"])
def source(request):
    if request.param == "digits":
        return read_into_memory(data.load("digits"))
    return files.mnist(request.getfixturevalue("test_data"), "train")


def test_metrics_rank_real_examples_samples_and_noise(source, tmp_path):
    one, other = halves(source)
    flags = RUNS["mnist" if source.name == "MNIST" else "digits"]
    kinds = {"reals": one, "samples": draw_samples("dcgan", flags, one, tmp_path), "noise": noise(one)}
    assert_ranking(SETS, kinds, other, train_classifier(source))


def test_classification_accuracy_ranks_real_examples_samples_and_noise(source, tmp_path):
    """The metric ``cas`` needs samples with labels, so the generator is conditional."""
    one, other = halves(source)
    flags = LABELLED["mnist" if source.name == "MNIST" else "digits"]
    kinds = {"reals": one, "samples": draw_samples("cgan", flags, one, tmp_path), "noise": noise(one)}
    assert_ranking(("cas",), kinds, other, train_classifier(source))

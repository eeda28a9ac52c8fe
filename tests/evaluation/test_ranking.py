"""Every metric puts reals before samples, and samples before noise. Slow: it trains the samplers."""

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
# A fifth of what is usual on MNIST: enough to be told from reals and from noise.
RUNS = {"digits": [], "mnist": ["--base-resolution", 7, "--steps", 1500]}
LABELLED = {"digits": [], "mnist": ["--steps", 2000]}


def halves(source: Arrays, most=5000) -> tuple[Arrays, Arrays]:
    """Two sets of reals that share no example, of at most so many each."""
    order = np.random.default_rng(0).permutation(len(source))
    size = min(most, len(source) // 2)
    one, other = (read_into_memory(Subset(source, np.sort(part))) for part in (order[:size], order[size : 2 * size]))
    return one, other


def noise(like: Arrays) -> Arrays:
    """Uniform bytes, with labels in turn."""
    images = np.random.default_rng(0).integers(0, 256, like.images.shape, np.uint8)
    return Arrays(images, np.arange(len(images), dtype=np.int32) % len(like.classes), "noise", like.classes)


def drawn(name: str, flags, reals: Arrays, tmp_path) -> Arrays:
    """As many samples of a run on these reals: not on those that both are compared with."""
    file = tmp_path / "reals.npz"
    np.savez(file, images=reals.images, labels=reals.labels)
    run, out = tmp_path / name, tmp_path / f"{name}.npz"
    programs.done("--data", file, *flags, "--run-dir", run, "--quiet", experiment=name)
    programs.done("sample", "--run-dir", run, "--count", len(reals), "--out", out, experiment=name)
    return read_into_memory(data.load(str(out)))


def ranked(names, kinds, other, features) -> None:
    """Of each figure: reals better than samples, samples better than noise."""
    found = {kind: scores.compare(source, other, names, features) for kind, source in kinds.items()}
    for figure in (name for name in found["reals"] if name in LOWER + HIGHER + ("cas",)):
        reals, samples, noises = (found[kind][figure] for kind in ("reals", "samples", "noise"))
        print(f"{figure:10} reals {reals:10.5g}   samples {samples:10.5g}   noise {noises:10.5g}")
    for figure in (name for name in found["reals"] if name in LOWER + HIGHER + ("cas",)):
        order = [found[kind][figure] for kind in ("reals", "samples", "noise")]
        assert order == sorted(order, reverse=figure not in LOWER), figure


@pytest.fixture(params=["digits", "mnist"])
def source(request):
    if request.param == "digits":
        return read_into_memory(data.load("digits"))
    return files.mnist(request.getfixturevalue("test_data"), "train")


def test_reals_samples_noise(source, tmp_path):
    one, other = halves(source)
    run = RUNS["mnist" if source.name == "MNIST" else "digits"]
    kinds = {"reals": one, "samples": drawn("dcgan", run, one, tmp_path), "noise": noise(one)}
    ranked(SETS, kinds, other, train_classifier(source))


def test_what_a_classifier_learns_from_them(source, tmp_path):
    """Classification accuracy: of samples that were asked for by class."""
    one, other = halves(source)
    run = LABELLED["mnist" if source.name == "MNIST" else "digits"]
    kinds = {"reals": one, "samples": drawn("cgan", run, one, tmp_path), "noise": noise(one)}
    ranked(("cas",), kinds, other, train_classifier(source))

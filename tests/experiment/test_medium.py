"""Tests of an experiment with a medium of its own: what the game, the probe, the scores and the sheets receive."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments import points
from jaxgan import data, losses, parallel, total
from jaxgan.data import NamedArrays
from jaxgan.evaluation import METRICS, ArrayFeatures
from jaxgan.experiment import Display, two_player_experiment
from jaxgan.experiment.pixel_score import PixelScore
from jaxgan.experiment.quality import SampleSource
from jaxgan.media import Medium, Points, Voxels
from jaxgan.models import mlp
from jaxgan.monitoring.probe import Probe
from jaxgan.training.runs import SingleRun
from jaxgan.training.steps import Steps, prepare

HEIGHTS = np.random.default_rng(0).uniform(0, 1000, (40, 6)).astype(np.float32)
CONFIG = points.Config(batch_size=8, steps=4)


@dataclasses.dataclass(frozen=True)
class Walks(Medium):
    """Heights in metres, [6]. Networks receive the first 5 as fractions of ``top``."""

    top: float
    name, key, noun = "walks", "walk", "walks"

    def check(self, source):
        if source.shape != (6,):
            raise ValueError(f"{source.name} must have 6 heights.")

    def normalize(self, batch):
        return {**batch, "walk": batch["walk"][:, :5] / self.top}

    def decode(self, samples):
        return {"walk": samples * self.top}

    def coarse(self, examples):
        assert np.abs(examples).max() < 100
        return examples[:, :2]


def build(source=None, **parts):
    source = source or NamedArrays({"walk": HEIGHTS, "number": np.arange(40)}, details={"top": 1000.0})
    seen = []

    def discriminator_loss(nets, batch, keys, step):
        seen.append({name: (x.shape, x.dtype.name) for name, x in batch.items()})
        fake = nets.g(jax.vmap(lambda key: jax.random.normal(key, (2,)))(keys))
        logits = losses.discriminator_metrics(nets.d(batch["walk"]), nets.d(fake))
        adversarial = losses.non_saturating_discriminator(nets.d(batch["walk"]), nets.d(fake))
        return total(adversarial=adversarial, metrics=logits)

    def generator_loss(nets, batch, keys, step):
        fake = nets.g(jax.vmap(lambda key: jax.random.normal(key, (2,)))(keys))
        return total(adversarial=losses.non_saturating_generator(nets.d(fake)))

    experiment = two_player_experiment(
        CONFIG,
        source,
        mlp.Generator((5,), (8,), lambda x: x),
        mlp.Discriminator((8,)),
        z_dim=2,
        losses={"d": discriminator_loss, "g": generator_loss},
        optimizers={name: optax.sgd(0.01) for name in ("d", "g")},
        medium=Walks(**source.details),
        **parts,
    )
    return experiment, seen


def test_the_game_receives_normalised_examples_and_integers():
    experiment, seen = build()
    steps = Steps(SingleRun(experiment, CONFIG), CONFIG, parallel.devices(1), "pmap")
    steps.trace()
    assert not steps.streams and seen[0] == {"walk": ((8, 5), "float32"), "number": ((8,), "int32")}
    assert steps.at(1) is steps.at(0)
    batch = prepare({"walk": jnp.asarray(HEIGHTS)}, np.arange(3), experiment.medium.normalize)
    np.testing.assert_allclose(batch["walk"], HEIGHTS[:3, :5] / 1000, rtol=1e-6)


def test_the_probe_and_the_score_compare_normalised_examples_with_samples():
    experiment, _ = build()
    experiment = experiment.with_held_out(8)
    assert isinstance(experiment.medium, Walks)
    state = experiment.game.init(jax.random.key(0))
    measured = Probe(experiment, 0)(state)
    assert 0 < float(measured["diversity"]) < 10 and "over_held_out/d" in measured  # metres would give 0.001
    assert 0 < PixelScore(experiment, 0)(state) < 10


def test_samples_for_metrics_are_in_the_units_of_the_data():
    experiment, _ = build()
    state = experiment.game.init(jax.random.key(0))
    samples = experiment.sampler(4)(state, experiment.draw_latents(3, np.arange(4)))
    found = SampleSource(experiment, state, 4, 3, "samples").read(np.arange(4))
    assert list(found) == ["walk"]
    np.testing.assert_allclose(found["walk"], samples * 1000, rtol=1e-6)


def test_sheets_receive_normalised_examples():
    experiment, _ = build()
    sheets = {"walks": lambda nets, batch, keys: batch["walk"]}
    experiment = dataclasses.replace(experiment, display=Display(sheets=sheets))
    drawn = experiment.draw_sheets(0)(experiment.game.init(jax.random.key(0)))["walks"]
    assert drawn.shape == (32, 5) and drawn.max() <= 1


def test_batches_of_a_loop_are_normalised_by_a_medium():
    source = NamedArrays({"walk": HEIGHTS})
    (batch,) = data.batches(source, 8, steps=1, normalize=Walks(1000.0).normalize)
    (raw,) = data.batches(source, 8, steps=1)
    np.testing.assert_allclose(batch["walk"], raw["walk"][:, :5] / 1000)


def test_metrics_and_features_of_an_experiment_replace_those_of_the_medium():
    experiment, _ = build()
    assert not experiment.all_metrics
    with pytest.raises(ValueError, match="no features are defined for walks"):
        experiment.make_features()
    called = []

    def features(source, name, **options):
        called.append((source, name, options))
        return ArrayFeatures("walks")

    experiment, _ = build(features=features, metrics={"fid": METRICS["fid"]})
    assert list(experiment.all_metrics) == ["fid"]
    assert experiment.make_features("all", cache=None).protocol == {"features": "walks"}
    assert called == [(experiment.reference, "all", {"cache": None})]
    mixed = dataclasses.replace(experiment, medium=Points(), metrics={"fid": METRICS["is"]})
    assert set(mixed.all_metrics) == {"fid", "kid", "prdc", "authenticity"}
    assert mixed.all_metrics["fid"] is METRICS["is"]


def test_a_medium_refuses_other_examples_before_networks_are_created():
    with pytest.raises(ValueError, match="heights must have 6 heights"):
        build(NamedArrays({"walk": HEIGHTS[:, :4]}, "heights", details={"top": 1.0}))


def test_the_medium_of_older_programs_is_found_by_the_shape():
    experiment, _ = build()
    assert dataclasses.replace(experiment, medium=None).medium == Points()
    cubes = data.Arrays(np.zeros((4, 4, 4, 4, 1), np.float32))
    assert dataclasses.replace(experiment, medium=None, source=cubes).medium == Voxels()

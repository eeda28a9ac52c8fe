"""Train a GAN on days of hourly readings, such as the power consumption of houses. The medium ``Days`` is defined here.

The file of the data has one day per line, 24 numbers separated by commas, and a header. Without --data, the program
trains on days that it draws. All commands of an experiment work: train, sample, evaluate, report, export and so on.

    python examples/own_medium.py --data days.csv
    python examples/own_medium.py sample --out more_days.csv
"""

import dataclasses

import jax.numpy as jnp
import numpy as np
import optax

from jaxgan import data, latents, losses, total
from jaxgan.cli.program import main
from jaxgan.evaluation import METRICS, ArrayFeatures, Metric
from jaxgan.experiment import COUNT, CommonSettings, Experiment, two_player_experiment
from jaxgan.media import Medium
from jaxgan.models import mlp

HOURS = 24


@dataclasses.dataclass(frozen=True)
class Days(Medium):
    """Days of 24 hourly readings, at least 0. Networks receive numbers in [-1, 1]."""

    unit: str
    largest: float

    name, key, noun, values = "days", "day", "days", "readings in the unit of the data"
    suffixes = (".csv", ".png", ".npz")
    default_metrics = ("fid", "peak")

    def normalize(self, batch):
        return {**batch, "day": 2 * batch["day"] / self.largest - 1}

    def decode(self, samples):
        return {"day": (samples.astype(np.float64) + 1) / 2 * self.largest}

    def view(self, samples, side=48):
        """Draw a bar chart of each day, [N, 48, 48, 1]."""
        heights = np.repeat((samples + 1) / 2 * side, side // HOURS, axis=1)[:, None]
        is_bar = np.arange(side, 0, -1)[:, None] <= heights
        return np.where(is_bar, 60, 255).astype(np.uint8)[..., None]

    def save(self, path, samples, made_by, labels=None, **grid):
        if path.suffix.lower() != ".csv":
            return super().save(path, samples, made_by, labels, **grid)
        days = self.decode(samples)["day"]
        header = ",".join(f"{hour}:00 {self.unit}" for hour in range(HOURS))
        np.savetxt(path, days, "%.4f", ",", header=header, comments="")

    @property
    def metrics(self):
        return {"fid": METRICS["fid"], "peak": Metric(peak_error, needs=("arrays",))}

    def features(self, source, name=None, **options):
        return ArrayFeatures("days")


def peak_error(samples, real):
    """Return how far the mean hour of the largest reading differs from real days."""
    hours = [stats.arrays["day"].argmax(1).mean() for stats in (samples, real)]
    return {"peak": abs(float(hours[0] - hours[1]))}


def load_days(path):
    """Return days as a source. Its details are the fields of the medium, and are recorded with a run."""
    if path == "drawn":
        rng, hours, unit = np.random.default_rng(0), np.arange(HOURS), "kW"
        peaks, widths = rng.normal(18, 2, (1000, 1)), rng.uniform(2, 5, (1000, 1))
        days = 0.3 + 2 * np.exp(-(((hours - peaks) / widths) ** 2)) + rng.uniform(0, 0.2, (1000, HOURS))
    else:
        with open(path, encoding="utf-8") as file:
            unit = file.readline().strip().rpartition(" ")[2]
            days = np.loadtxt(file, delimiter=",", ndmin=2)
    return data.NamedArrays({"day": days}, path, details={"unit": unit, "largest": float(days.max())})


@dataclasses.dataclass(frozen=True)
class Config(CommonSettings):
    """Settings of the experiment."""

    # Data
    data: str = "drawn"
    # Networks
    z_dim: int = 8
    """Dimension of the latents."""
    # Optimisation
    steps: int = 4000
    batch_size: int = 64
    learning_rate: float = 5e-4
    ema_decay: float = 0.99


def build(config, source=None) -> Experiment:
    """Return the experiment. After the data were removed, ``source`` has blank days with the recorded details."""
    config.check(z_dim=COUNT)
    source = load_days(config.data) if source is None else source
    medium = Days(**source.details)

    def discriminator_loss(nets, batch, keys, step):
        real_logits = nets.d(batch["day"])
        fake_logits = nets.d(nets.g(latents(keys, config.z_dim)))
        r1 = 0.5 * losses.r1(nets.d, batch["day"])
        return total(adversarial=losses.non_saturating_discriminator(real_logits, fake_logits), r1=r1)

    def generator_loss(nets, batch, keys, step):
        return total(adversarial=losses.non_saturating_generator(nets.d(nets.g(latents(keys, config.z_dim)))))

    adam = optax.adam(config.learning_rate, b1=0.5)
    return two_player_experiment(
        config,
        source,
        mlp.Generator((HOURS,), (128, 128), jnp.tanh),
        mlp.Discriminator((128, 128)),
        z_dim=config.z_dim,
        losses={"d": discriminator_loss, "g": generator_loss},
        optimizers={"d": adam, "g": adam},
        medium=medium,
    )


if __name__ == "__main__":
    main("own_medium", Config, build, __doc__)

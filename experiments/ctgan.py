"""CTGAN: rows of tables with columns of numbers and categories, by training by sampling with a PacGAN critic.

Paper      Xu et al. 2019, arXiv:1907.00503
Command    jaxgan train ctgan
Presets    --preset paper with --data FILE.csv; --preset private with DP-SGD; --preset demo has the default settings
Data       344 penguins with sizes, species and sex, bundled with the package; --data names a table
Hardware   two cores of a shared AMD EPYC (Zen 3), jax 0.10.2, float32
Time       63 s; 80 s of processor time
Score      column shapes 0.901, pair trends 0.771 of 275 samples
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, Self

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgan import Game, Net, Player, data, fold_in_keys, latents, losses, total
from jaxgan.cli.program import main
from jaxgan.data import tables
from jaxgan.data.table_files import parse_types
from jaxgan.experiment import COUNT, DEPTH, FRACTION, NON_NEGATIVE, CommonSettings, Experiment, Sampling
from jaxgan.media import Table
from jaxgan.models import ctgan


@dataclasses.dataclass(frozen=True)
class Config(CommonSettings):
    """Settings of the experiment, which determine its result."""

    # Data
    data: str = "penguins"
    """Path of a table, such as a .csv, .parquet or .xlsx file, or "penguins" for the table that is bundled with the
    package."""
    columns: tuple[str, ...] = ()
    """Names of the columns to use. By default, all columns are used."""
    types: tuple[str, ...] = ()
    """Types of columns in place of the found ones, such as zip=category: number, integer, date, boolean or category. A
    date can have a format, such as day=date:%d/%m/%Y."""
    delimiter: str | None = None
    """Character between the cells of a text file. By default, it is found in the first rows."""
    encoding: str = "utf-8"
    """Encoding of a text file."""
    header: bool = True
    """Whether the first row of a file contains the names of the columns."""
    test_fraction: float = 0.2
    """Fraction of the rows that are only used for comparison in evaluations, below 1."""
    target: str = ""
    """Column of categories that classifiers predict in the metric tstr. By default, the last column of categories."""
    # Networks
    z_dim: int = 128
    """Dimension of the latents."""
    width: int = 256
    """Number of units of each hidden layer of both networks."""
    num_layers: int = 2
    """Number of hidden layers of each network."""
    norm: Literal["batch", "none"] = "batch"
    """Normalisation of the generator's hidden layers. Private training requires none."""
    pac: int = 10
    """Number of rows that the critic judges together. It must divide batch_size. Private training requires 1."""
    dropout_rate: float = 0.5
    """Fraction of the critic's hidden activations that are set to 0."""
    conditional: bool = True
    """Condition the generator on the category of one column of each row, and draw rare categories more often. Private
    training requires an unconditional generator."""
    temperature: float = 0.2
    """Temperature of the Gumbel-softmax. Lower temperatures are closer to one-hot vectors."""
    # Losses
    gp_weight: float = 10.0
    """Weight of the gradient penalty."""
    # Optimisation
    steps: int = 3000
    batch_size: int = 100
    n_critic: int = 1
    """Number of updates of the critic in each step."""
    learning_rate: float = 2e-4
    beta1: float = 0.5
    """Adam's decay rate of the mean of the gradients."""
    beta2: float = 0.9
    """Adam's decay rate of the mean of the squared gradients."""
    weight_decay: float = 1e-6
    """Factor of the weights that is added to their gradients."""
    ema_decay: float = 0.0

    @property
    def batch_multiple(self) -> int:
        return self.pac * self.grad_accum_steps

    @classmethod
    def tiny(cls, **changes: Any) -> Self:
        """Return small settings for tests."""
        return dataclasses.replace(cls(steps=4, batch_size=16, z_dim=4, width=8, num_layers=1, pac=2), **changes)


PRESETS = {
    # Section 4.4 of the paper. 300 epochs of a table with 33,000 rows are about 20,000 steps.
    "paper": {
        "z_dim": 128,
        "width": 256,
        "num_layers": 2,
        "norm": "batch",
        "pac": 10,
        "dropout_rate": 0.5,
        "temperature": 0.2,
        "gp_weight": 10.0,
        "batch_size": 500,
        "steps": 20_000,
        "n_critic": 1,
        "learning_rate": 2e-4,
        "beta1": 0.5,
        "beta2": 0.9,
        "weight_decay": 1e-6,
        "ema_decay": 0.0,
    },
    "private": {"norm": "none", "pac": 1, "conditional": False, "dp_noise_multiplier": 1.0},
    "demo": {},  # the default settings
}


def build(config: Config, source: data.Source | None = None) -> Experiment:
    """Return the experiment for these settings. ``source`` replaces the data that ``config.data`` names."""
    config.check(
        z_dim=COUNT,
        width=COUNT,
        num_layers=DEPTH,
        pac=COUNT,
        dropout_rate=(0, 0.99),
        temperature=(1e-3, 1e3),
        gp_weight=NON_NEGATIVE,
        n_critic=DEPTH,
        beta1=FRACTION,
        beta2=FRACTION,
        weight_decay=FRACTION,
    )
    _check_packs(config)
    if source is None:
        source = tables.load(
            config.data,
            types=parse_types(config.types),
            columns=config.columns or None,
            test_fraction=config.test_fraction,
            delimiter=config.delimiter,
            encoding=config.encoding,
            header=config.header,
        )
    medium = Table(**getattr(source, "details", {}) or {"columns": ()}, target=config.target)
    medium.check(source)
    heads = tuple(head for column in medium.columns for head in column.heads)
    conditions = _find_conditions(medium, heads) if config.conditional else None
    if conditions and isinstance(source, data.NamedArrays):
        source = dataclasses.replace(source, weights=conditions.weights(source.arrays["row"]), checked=True)
    size, hidden = ctgan.row_size(heads), (config.width,) * config.num_layers
    generator = ctgan.Generator(heads, hidden, config.norm, config.dtype)
    critic = ctgan.Critic(config.pac, hidden, config.dropout_rate, config.dtype)

    def draw_vectors(keys, rows):
        """Return the vectors of the conditions of rows; no vectors without conditions."""
        return (conditions.vectors(conditions.draw(keys, rows)),) if conditions else ()

    def generate(nets, keys, vectors):
        outputs, stats = nets.g.with_stats(latents(keys, config.z_dim), *vectors)
        return outputs, ctgan.activate(outputs, ctgan.gumbel_noise(keys, heads), heads, config.temperature), stats

    def critic_loss(nets, batch, keys, step):
        real = batch["row"]
        vectors = draw_vectors(keys, real)
        real, fake = (jnp.concatenate([x, *vectors], 1) for x in (real, generate(nets, keys, vectors)[1]))
        masks = fold_in_keys(keys, 5)  # all calls have the same dropout masks, so that they are one function

        def judge(packs):
            return nets.d(packs.reshape(len(keys), -1), keys=masks)

        real, fake = ctgan.in_packs(real, config.pac), ctgan.in_packs(fake, config.pac)
        real_logits, fake_logits = judge(real), judge(fake)
        penalty = losses.gradient_penalty(judge, real, fake, keys[:: config.pac])
        return total(
            adversarial=losses.wasserstein_discriminator(real_logits, fake_logits),
            gradient_penalty=config.gp_weight * penalty,
            metrics={"distance": real_logits - fake_logits, "logits_real": real_logits, "logits_fake": fake_logits},
        )

    def generator_loss(nets, batch, keys, step):
        vectors = draw_vectors(keys, batch["row"])
        outputs, fake, stats = generate(nets, keys, vectors)
        logits = nets.d(jnp.concatenate([fake, *vectors], 1), keys=fold_in_keys(keys, 5))
        adversarial = losses.wasserstein_generator(logits)
        if not conditions:
            return total(adversarial=adversarial, stats={"g": stats})
        condition = conditions.losses(outputs, conditions.draw(keys, batch["row"]))
        return total(adversarial=adversarial, condition=condition, stats={"g": stats})

    def sample(nets, z):
        keys = jax.random.wrap_key_data(z["key"])
        vectors = (conditions.vectors(z["condition"]),) if conditions else ()
        outputs = nets.g(latents(keys, config.z_dim), *vectors)
        if conditions:
            outputs = conditions.forced(outputs, z["condition"])
        return ctgan.activate(outputs, ctgan.gumbel_noise(keys, heads), heads, config.temperature)

    def adam():
        decay = optax.add_decayed_weights(config.weight_decay)
        return optax.chain(decay, optax.adam(config.learning_rate, config.beta1, config.beta2))

    def draw_latents(keys):
        z = {"key": jax.random.key_data(keys)}
        return {**z, "condition": conditions.draw_for_sampling(keys)} if conditions else z

    def apply_condition(z, where):
        number = _number_of(medium, conditions, where) if conditions else 0
        return {**z, "condition": np.full_like(z["condition"], number)}

    of_conditions = [jnp.zeros((1, len(conditions)))] if conditions else []
    nets = {
        "g": Net(generator, jnp.zeros((1, config.z_dim)), *of_conditions),
        "d": Net(critic, jnp.zeros((config.pac, size + (len(conditions) if conditions else 0)))),
    }
    players = {
        "d": Player(("d",), critic_loss, adam(), config.gradient),
        "g": Player(("g",), generator_loss, adam(), config.gradient),
    }
    return Experiment(
        Game(nets, players, (("d",),) * config.n_critic + (("g",),), ema={"g": config.ema_decay}),
        source,
        Sampling(draw_latents, sample, condition=apply_condition if conditions else None, max_batch=1024),
        medium=medium,
    )


def _check_packs(config: Config) -> None:
    """Check that batches consist of packs, and that private training compares single rows."""
    if config.batch_size % config.batch_multiple:
        raise ValueError(
            f"`batch_size` must be a multiple of `pac` {config.pac}"
            f"{f' times `grad_accum_steps` {config.grad_accum_steps}' if config.grad_accum_steps > 1 else ''}, got "
            f"{config.batch_size}."
        )
    if config.dp_noise_multiplier and (config.pac != 1 or config.norm != "none" or config.conditional):
        raise ValueError(
            "`dp_noise_multiplier` requires `pac` 1, `norm` none and no `conditional`, because the gradient of a "
            "single row is clipped, and each row must be drawn equally often. The preset private has these settings."
        )


def _find_conditions(medium: Table, heads: tuple[int, ...]) -> ctgan.Conditions | None:
    """Return the conditions of the columns of categories; None if there are no such columns."""
    starts = np.cumsum([0, *(len(column.heads) for column in medium.columns)])
    found = [(int(start), column) for start, column in zip(starts, medium.columns) if not column.is_number]
    if not found:
        return None
    return ctgan.Conditions(heads, [start for start, _ in found], [column.choice_counts for _, column in found])


def _number_of(medium: Table, conditions: ctgan.Conditions, where: Mapping[str, str]) -> int:
    """Return the number of the condition that has the given category."""
    if len(where) != 1:
        raise ValueError(
            f"`where` must name one column, because the generator is conditioned on one column at a time, got "
            f"{', '.join(where)}."
        )
    ((column, category),) = where.items()
    index, choice = medium.find_category(column, category)
    return int(conditions.starts[index]) + choice


if __name__ == "__main__":
    main("ctgan", Config, build, __doc__, presets=PRESETS)

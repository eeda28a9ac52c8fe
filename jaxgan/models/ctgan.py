"""The networks of CTGAN for rows of tables: Xu et al. 2019 (arXiv:1907.00503), section 4.4.

A row is a vector [D] of heads, one after the other: a number in [-1, 1], or the probabilities of some categories. The
argument ``heads`` describes them: 0 is a number, and n > 0 is a head of n categories. A row with the heads (0, 3, 2)
has D = 6 elements. Some heads of categories are the columns on which the generator can be conditioned. A condition is
the one-hot vector of one category of one of these columns, [C], where C is the total number of their categories.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxgan.core.keys import fold_in_keys
from jaxgan.core.precision import product
from jaxgan.nn.layers import Dense, dropout
from jaxgan.nn.normalization import BatchNorm, Norm

# The default initialisation of linear layers in PyTorch without their biases: uniform in +-1 / sqrt(number of inputs).
_kernel_init = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")

FORCED = 1e6  # raw output of a category that is always chosen


def row_size(heads: Sequence[int]) -> int:
    """Return the number of elements D of a row.

    >>> row_size((0, 3, 2))
    6

    Args:
      heads: 0 for each number, and the number of categories of each other head.
    """
    return sum(max(1, size) for size in heads)


class Generator(nn.Module):
    """Generator, from latents [B, z] and conditions [B, C] to the raw outputs of the heads [B, D], float32.

    ``activate`` converts the outputs to rows. Each hidden layer is concatenated with its input, as in the paper. The
    paper has 128 latents.

    Attributes:
      heads: the heads of a row.
      hidden: number of units of each hidden layer.
      norm: normalisation of the hidden layers: "batch" as in the paper, or "none" for private training.
      dtype: data type of the computation; parameters are float32.

    Raises:
      ValueError: if ``norm`` is "instance".
    """

    heads: tuple[int, ...]
    hidden: tuple[int, ...] = (256, 256)
    norm: Norm = "batch"
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: jax.Array, condition: jax.Array | None = None, *, train: bool) -> jax.Array:
        if self.norm not in ("batch", "none"):
            raise ValueError(f"`norm` must be 'batch' or 'none' for rows of tables, got {self.norm!r}.")
        x = z if condition is None else jnp.concatenate([z, condition], axis=1)
        for i, width in enumerate(self.hidden):
            y = Dense(width, kernel_init=_kernel_init, dtype=self.dtype, name=f"hidden_{i}")(x)
            if self.norm == "batch":
                y = BatchNorm(name=f"norm_{i}")(y, train)
            x = jnp.concatenate([nn.relu(y), x.astype(y.dtype)], axis=1)
        output = Dense(row_size(self.heads), kernel_init=_kernel_init, dtype=self.dtype, name="output_layer")(x)
        return output.astype(jnp.float32)


class Critic(nn.Module):
    """Critic of PacGAN, from rows [B, D] and conditions [B, C] to one value for each pack of rows, [B / pac], float32.

    Several rows are judged together, so that the critic recognises a generator that repeats itself: Lin et al. 2018
    (arXiv:1712.04086). Rows ``pac * i`` to ``pac * i + pac - 1`` are the pack with the index i.

    Attributes:
      pac: number of rows in a pack (paper: 10).
      hidden: number of units of each hidden layer.
      dropout_rate: fraction of the hidden activations that is set to 0.
      dtype: data type of the computation; parameters are float32.

    Raises:
      ValueError: if the number of rows is not divisible by ``pac``.
    """

    pac: int = 10
    hidden: tuple[int, ...] = (256, 256)
    dropout_rate: float = 0.5
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, condition: jax.Array | None = None, *, keys: jax.Array | None = None) -> jax.Array:
        x = x if condition is None else jnp.concatenate([x, condition], axis=1)
        x = in_packs(x, self.pac)
        for i, width in enumerate(self.hidden):
            x = Dense(width, kernel_init=_kernel_init, dtype=self.dtype, name=f"hidden_{i}")(x)
            x = dropout(nn.leaky_relu(x, 0.2), None if keys is None else keys[:: self.pac], i, self.dropout_rate)
        value = Dense(1, kernel_init=_kernel_init, dtype=self.dtype, name="value")(x)
        return value.reshape(-1).astype(jnp.float32)


def in_packs(x: jax.Array, pac: int) -> jax.Array:
    """Concatenate each ``pac`` rows, from [B, D] to [B / pac, pac * D].

    Args:
      x: the rows, [B, D].
      pac: number of rows in a pack.

    Raises:
      ValueError: if the number of rows is not divisible by ``pac``.
    """
    if x.shape[0] % pac:
        raise ValueError(f"`pac` must divide the number of rows on each device, {x.shape[0]}, got {pac}.")
    return x.reshape(x.shape[0] // pac, pac * x.shape[1])


def gumbel_noise(keys: jax.Array, heads: Sequence[int]) -> jax.Array:
    """Draw the noise of ``activate``, [B, D], from the standard Gumbel distribution.

    Args:
      keys: random keys, [B]. They can be the same as those of the latents.
      heads: the heads of a row. The noise of numbers is not used.
    """
    size = row_size(heads)
    return jax.vmap(lambda key: jax.random.gumbel(key, (size,)))(fold_in_keys(keys, 3))


def activate(outputs: jax.Array, noise: jax.Array, heads: Sequence[int], temperature: float = 0.2) -> jax.Array:
    """Convert the raw outputs of the generator to rows, [B, D].

    The activation of numbers is tanh. The activation of the other heads is the Gumbel-softmax, whose most probable
    category has the distribution softmax(outputs): Jang et al. 2017 (arXiv:1611.01144).

    Args:
      outputs: the raw outputs, [B, D].
      noise: noise from the standard Gumbel distribution, [B, D]; see ``gumbel_noise``.
      heads: the heads of a row.
      temperature: temperature of the Gumbel-softmax, above 0 (paper: 0.2). Lower values approach one-hot vectors.
    """
    starts = _starts(heads)
    is_number = np.array([not heads[head] for head in _head_of(heads)])
    members = np.zeros((row_size(heads), len(heads)), np.float32)  # which element belongs to which head
    members[np.arange(len(members)), _head_of(heads)] = 1
    x = (outputs + jnp.where(is_number, 0, noise)) / temperature
    # The heads are computed together, because one softmax for each of them would be slow to compile and to run. The
    # elements of each head are padded to the largest head, by repeating the first one, to find the maximum.
    widest = max(1, *heads)
    padded = starts[:, None] + np.arange(widest) * (np.arange(widest) < np.maximum(1, heads)[:, None])
    largest = lax.stop_gradient(x)[:, padded].max(2)[:, _head_of(heads)]
    y = jnp.exp(x - largest)
    sums = product(jnp.matmul, product(jnp.matmul, y, jnp.asarray(members)), jnp.asarray(members.T))
    return jnp.where(is_number, jnp.tanh(outputs), y / sums)


def _starts(heads: Sequence[int]) -> np.ndarray:
    """Return the index of the first element of each head in a row."""
    return np.cumsum([0, *(max(1, size) for size in heads)])[:-1]


def _head_of(heads: Sequence[int]) -> np.ndarray:
    """Return the index of the head of each element of a row, [D]."""
    return np.repeat(np.arange(len(heads)), np.maximum(1, heads))


class Conditions:
    """The conditions of a table: the categories of some of its columns, numbered one after the other, C in total.

    In the training by sampling of section 4.3 of the paper, a column is drawn at random, then one of its categories
    with a probability proportional to the logarithm of its frequency, and then a row that has the category. The joint
    distribution of the row and the column is the same if the row is drawn first, with the probabilities ``weights``,
    and then the column, by ``draw``. Therefore, a batch only has to contain the rows.

    Attributes:
      heads: the heads of a row.
      elements: the indices of the elements of a row that belong to the columns, [C].
      counts: the number of rows that have each category, [C].
      sizes: the number of categories of each column. The sum is C.
      starts: the number of the first category of each column.

    Args:
      heads: the heads of a row.
      columns: the indices of the heads that are conditions.
      counts: the number of rows that have each category of each of these columns.

    Raises:
      ValueError: if the number of counts of a column differs from the size of its head.
    """

    def __init__(self, heads: Sequence[int], columns: Sequence[int], counts: Sequence[Sequence[int]]):
        starts = _starts(heads)
        self.heads, self.sizes = tuple(heads), tuple(heads[i] for i in columns)
        if self.sizes != tuple(map(len, counts)):
            raise ValueError(f"`counts` must have {self.sizes} numbers, got {tuple(map(len, counts))}.")
        found = [starts[i] + np.arange(heads[i]) for i in columns]
        self.starts = np.cumsum([0, *self.sizes])[:-1]
        self.elements = np.concatenate([np.zeros(0, int), *found])
        self.counts = np.concatenate([np.zeros(0), *counts])

    def __len__(self) -> int:
        return len(self.elements)

    @property
    def _log_weights(self) -> np.ndarray:
        """Logarithms of the probability that a row is drawn for each category that it has, [C], up to a constant."""
        columns = np.split(self.counts, np.cumsum(self.sizes)[:-1])
        shares = [np.log1p(counts) / max(np.log1p(counts).sum(), 1e-12) for counts in columns]
        return np.log(np.maximum(np.concatenate(shares), 1e-12) / np.maximum(self.counts, 1))

    def weights(self, rows: np.ndarray) -> np.ndarray:
        """Return the probabilities with which rows are drawn for training, [N].

        Args:
          rows: all encoded rows of the training data, [N, D]. If they are zeros, because the data are missing, the
            probabilities are equal.
        """
        weights = rows[:, self.elements].astype(np.float64) @ np.exp(self._log_weights)
        weights = weights if weights.any() else np.ones(len(rows))
        return weights / weights.sum()

    def draw(self, keys: jax.Array, rows: jax.Array) -> jax.Array:
        """Draw the condition of each row that was drawn with the probabilities ``weights``: one of its categories.

        Args:
          keys: random keys, [B].
          rows: the encoded rows, [B, D].

        Returns:
          The numbers of the conditions, integers [B] from 0 to C - 1.
        """
        logits = jnp.where(rows[:, self.elements] > 0.5, jnp.asarray(self._log_weights, jnp.float32), -jnp.inf)
        return jax.vmap(jax.random.categorical)(fold_in_keys(keys, 4), logits)

    def draw_for_sampling(self, keys: jax.Array) -> jax.Array:
        """Draw conditions, integers [B], such that the samples have the distribution of the rows.

        The column is drawn at random, and the category with its frequency.

        Args:
          keys: random keys, [B].
        """
        columns = np.split(self.counts, np.cumsum(self.sizes)[:-1])
        shares = np.concatenate([counts / max(counts.sum(), 1) for counts in columns])
        logits = jnp.asarray(np.log(np.maximum(shares, 1e-30)), jnp.float32)
        return jax.vmap(lambda key: jax.random.categorical(key, logits))(fold_in_keys(keys, 4))

    def vectors(self, numbers: jax.Array) -> jax.Array:
        """Return conditions as one-hot vectors, [B, C].

        Args:
          numbers: the conditions, integers [B] from 0 to C - 1.
        """
        return jax.nn.one_hot(numbers, len(self))

    def forced(self, outputs: jax.Array, numbers: jax.Array) -> jax.Array:
        """Return raw outputs, [B, D], with which ``activate`` always chooses the category of the condition.

        Args:
          outputs: the raw outputs of the generator, [B, D].
          numbers: the conditions of the rows, integers [B].
        """
        chosen = jnp.asarray(self.elements)[numbers][:, None] == jnp.arange(outputs.shape[1])[None]
        return jnp.where(chosen, FORCED, outputs)

    def losses(self, outputs: jax.Array, numbers: jax.Array) -> jax.Array:
        """Return the cross-entropy between the condition and the probabilities of the generator in its column, [B].

        Args:
          outputs: the raw outputs of the generator, [B, D].
          numbers: the conditions of the rows, integers [B].
        """
        column = np.repeat(np.arange(len(self.sizes)), self.sizes)  # [C]
        logits = outputs[:, self.elements]
        inside = jnp.asarray(column)[None] == jnp.asarray(column)[numbers][:, None]
        chosen = jnp.take_along_axis(logits, numbers[:, None], axis=1)[:, 0]
        return jax.nn.logsumexp(jnp.where(inside, logits, -jnp.inf), axis=1) - chosen

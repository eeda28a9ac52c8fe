"""The words of reports: titles, how to read each chart and sheet, and values as people write them."""

from collections.abc import Collection
from typing import Any

TITLES = {"elbo": "ELBO", "kl": "KL divergence", "grad_norm": "Gradient norm", "value": "Value V(D, G)"}
READINGS = {
    "accuracy": "50 % on both: the discriminator cannot tell. 100 % on both for long: the generator gets no signal.",
    "value": "At \u2212log 4 the discriminator can only guess; near 0 it is sure, and right (logits being log-odds).",
    "logits": "Both near 0: the discriminator is unsure. Far apart and drifting: it runs away from the generator.",
    "loss": "Losses of a game need not fall: look for a standoff that lasts, and mistrust a line that runs away.",
    "adversarial": "The part of each loss that one player wins from the other.",
    "grad_norm": "On a log scale. Spikes of a decade, or a fall to almost nothing, come before trouble.",
    "r1": "The penalty on the discriminator's slope at reals, weight and all. Growing: it fits single pictures.",
    "r2": "The penalty on the discriminator's slope at fakes, weight and all.",
    "gradient_penalty": "How far the critic's slope is from the one it should have, weight and all.",
    "diversity": "How far samples lie apart, all from their middle and each from its nearest, by how far reals do. "
    "Near 0 the generator makes few images: mode collapse.",
    "swing": "How far the middle of the samples moves between two looks, by the spread of reals. It falls as a game "
    "settles; one that circles keeps swinging.",
    "moved": "How far each network's weights move in 50 turns, by their length. Above a quarter for long the "
    "steps are too large.",
    "turned": "The cosine between a network's move and the one before it: 1 straight on, \u22121 there and back.",
    "over_held_out": "How far D's logits of what it trains on lie above those of held-out reals, and of fakes. The "
    "nearer the first to the second, the more it knows its examples by heart.",
    "speed": "Images trained on in a second. Dips: checkpoints, sample grids, or other work on the machine.",
}
# In place of READINGS where they would be wrong: for a player without an opponent, and for one that maximises an ELBO.
SINGLE_PLAYER_READINGS = {
    "loss": "There is no other player: it falls, and levels off. If it rises for long, learn more slowly."
}
ELBO_READINGS = {
    "elbo": "A lower bound on log p(x), in nats: it rises, and levels off. It is minus the reconstruction, minus the "
    "KL divergence. Of examples that were trained on, so overfitting does not show.",
    "reconstruction": "What the pixels still cost once their code is known, \u2212log p(x|z), in nats: it falls. Grey "
    "pixels cost something even where they are met exactly.",
    "kl": "What the code costs, KL(q(z|x) || p(z)), in nats: it rises as the code comes to tell examples apart. Near 0 "
    "the decoder ignores the code, which is called posterior collapse.",
}
PAIR_READING = "What the player says of reals and of fakes."
TERM_READING = "A number that its player's loss reports, under the name it has there."

SHARES = ("precision", "recall", "density", "coverage")  # figures that are drawn in one chart
FIGURES = {  # by the beginning of a figure's name, before the features that it was measured with
    "fid": "Fr\u00e9chet distance",
    "fd": "Fr\u00e9chet distance",
    "mifid": "Memorisation-informed Fr\u00e9chet distance",
    "mifd": "Memorisation-informed Fr\u00e9chet distance",
    "kid": "Kernel distance",
    "kd": "Kernel distance",
    "is": "Inception Score",
    "ppl": "Path length",
    "precision": "Precision, recall, density, coverage",
}
DISTANCES = ("fid", "fd", "mifid", "mifd", "kid", "kd")
DISTANCE_READING = "Samples against the data, lower is better; evaluations.jsonl has the protocol."
FIGURE_READING = "Samples against the data; evaluations.jsonl has the protocol."

SHEETS = {
    "reconstruction": "Examples, and beneath each row their reconstructions.",
    "walk": "From one example's code, at the left, to another's, in equal steps on a straight line.",
    "mixing": "Five rows, twice: samples, others, and the first with the others' coarse, middle and fine styles.",
    "truncation": "Four rows, twice: samples, and their styles drawn to the average, to 0.7, 0.5 and 0 of their "
    "distance: the last is the average's image.",
    "noise": "Samples; the same without noise; with another; and, ten times as bright, how far pixels vary over eight. "
    "Noise that matters varies texture, and not what is shown.",
    "interpolation": "From one sample, at the left, to another: on an arc in z, beneath it on a straight line in w.",
    "directions": "Two samples, four rows each: moved along the four directions in w that the weights answer to most "
    "(SeFa), by \u22123 to 3 standard deviations of w. Directions of about equal weight may change places.",
}
OTHER_SHEET = "Drawn by the experiment, from the same examples at each step."


def title(term: str) -> str:
    """The heading of a term of a loss, or of a sheet."""
    return TITLES.get(term, term[:1].upper() + term[1:].replace("_", " "))


def reading(term: str, names: Collection[str], players: int, default: str) -> str:
    """How to read the chart of a term.

    Args:
      term: the term.
      names: the game's metrics, ``player/term``.
      players: the number of its players.
      default: for a term of which nothing particular is to be said.
    """
    readings = dict(READINGS)
    if players == 1:
        readings |= SINGLE_PLAYER_READINGS
    if any(name.endswith("/elbo") for name in names):
        readings |= ELBO_READINGS
    return readings.get(term, default)


def figure_title(figure: str) -> str:
    """The heading of an evaluation's figure; that of a distance does not depend on the features."""
    return FIGURES.get(figure.partition("_")[0]) or figure.upper()


def figure_reading(figure: str) -> str:
    """How to read an evaluation's figure."""
    return DISTANCE_READING if figure.partition("_")[0] in DISTANCES else FIGURE_READING


def format_value(value: Any) -> str:
    """A setting's value as a person writes it."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(map(format_value, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "not given" if value is None else str(value)


def format_number(value: float, spec: str = ".3f") -> str:
    """A number with a minus sign as typesetters use it."""
    return f"{value:{spec}}".replace("-", "\u2212")

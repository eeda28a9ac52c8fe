"""Define the texts of reports: titles, captions of charts and sheets, and the format of numbers.

A sheet is an additional picture that an experiment draws beside its samples.
"""

from collections.abc import Collection
from typing import Any

TITLES = {
    "pca": "PCA",
    "tsne": "t-SNE",
    "elbo": "ELBO",
    "kl": "KL divergence",
    "grad_norm": "Gradient norm",
    "value": "Value V(D, G)",
    "accuracy_real": "Accuracy on real examples",
    "accuracy_fake": "Accuracy on fakes",
    "logits_real": "Logits of real examples",
    "logits_fake": "Logits of fakes",
    "nearest": "Distance to the nearest neighbour",
    "swing": "Movement of the samples",
    "moved": "Change of the weights",
    "turned": "Direction of weight changes",
    "over_held_out": "Logit of training examples minus held-out examples",
    "over_fakes": "Logit of training examples minus fakes",
}
# The captions of charts. Keys are names of metrics or of measurements of the training monitor. The first sentence of a
# caption names the quantity, and the next sentences explain how to read the chart.
READINGS = {
    "accuracy": "Fraction of real examples and of fakes that the discriminator classifies correctly. If both fractions "
    "are 50 %, the discriminator cannot distinguish fakes from real examples. If both stay at 100 %, the generator "
    "receives little useful gradient.",
    "value": "Value V(D, G) of the original GAN game, if the logits are log-odds. It is \u2212log 4 if the "
    "discriminator can only guess, and close to 0 if it is certain and correct.",
    "logits": "Mean logit of the discriminator on real examples and on fakes. If both means are close to 0, the "
    "discriminator is uncertain. If the distance between the means keeps growing, the discriminator becomes too strong "
    "for the generator.",
    "loss": "Loss of each player. The losses of a game need not decrease: a lasting balance is normal, and a loss that "
    "grows without limit indicates divergence.",
    "adversarial": "The part of each player's loss that depends on how the discriminator classifies examples. This "
    "part need not decrease, because the players compete.",
    "grad_norm": "L2 norm of the gradient of each player's loss, on a logarithmic scale. Spikes by a factor of ten or "
    "more, or a decrease to almost zero, often precede problems.",
    "r1": "R1 penalty on the discriminator's gradient at real examples, including its weight. If it grows, the "
    "discriminator may overfit single examples.",
    "r2": "R2 penalty on the discriminator's gradient at fakes, including its weight. If it grows, the discriminator's "
    "output becomes steeper around the fakes.",
    "gradient_penalty": "Penalty on the difference between the norm of the critic's gradient and the target norm, "
    "including the penalty's weight. If it is close to 0, the gradient has nearly the target norm.",
    "diversity": "Spread of the samples (diversity) and mean distance of a sample to its nearest neighbour (nearest), "
    "each divided by the same quantity for real examples. Values near 0 indicate mode collapse.",
    "swing": "Distance that the mean of the samples moved within the last 50 steps, divided by the spread of real "
    "examples. It decreases while a game converges, and stays high if the game oscillates.",
    "moved": "L2 norm of the change of each network's weights within 50 turns, divided by the norm of the weights. "
    "Values above 0.25 for a long time mean that the learning rate is too high.",
    "turned": "Cosine between two successive changes of each network's weights, each over 50 steps. At 1, the weights "
    "keep changing in the same direction; at \u22121, each change reverses the previous change.",
    "over_held_out": "The discriminator's mean logit of training examples, minus its mean logit of held-out examples "
    "(over_held_out) or of fakes (over_fakes). The closer over_held_out is to over_fakes, the more the discriminator "
    "has memorised the training examples.",
    "speed": "Number of examples that the training reads per second. Checkpoints, sample grids and other programs on "
    "the machine can lower the speed for a short time.",
}
# Captions that replace READINGS for the only player of a game.
SINGLE_PLAYER_READINGS = {
    "loss": "Loss of the only player. It should decrease and then level off; if it increases for a long time, lower "
    "the learning rate."
}
# Captions that replace READINGS for a player that maximises an ELBO.
ELBO_READINGS = {
    "elbo": "Evidence lower bound on log p(x) of training examples, in nats. It is the negative sum of the "
    "reconstruction term and the KL divergence. It should increase and then level off; it does not show overfitting.",
    "reconstruction": "Negative log-likelihood of the pixels given their code, \u2212log p(x|z), in nats. It should "
    "decrease; grey pixels have a positive cost even if they are reconstructed exactly.",
    "kl": "Divergence between the code's distribution and its prior, KL(q(z|x) || p(z)), in nats. It should increase "
    "as the code distinguishes more examples. If it is near 0, the decoder ignores the code (posterior collapse).",
}
PAIR_READING = "Mean value of this metric on real examples and on fakes."
TERM_READING = "Mean value of the term or metric that a player's loss function reports under this name."

SHARES = ("precision", "recall", "density", "coverage")  # metrics of evaluations that are drawn in one chart
# Titles of the metrics of evaluations. A key is the part of the metric's name before the first underscore. The rest of
# the name, such as 768 in fid_768, identifies the features that the metric was computed with.
FIGURES = {
    "fid": "Fr\u00e9chet distance",
    "fd": "Fr\u00e9chet distance",
    "mifid": "Memorisation-informed Fr\u00e9chet distance",
    "mifd": "Memorisation-informed Fr\u00e9chet distance",
    "kid": "Kernel distance",
    "kd": "Kernel distance",
    "is": "Inception Score",
    "ppl": "Perceptual path length",
    "precision": "Precision, recall, density, coverage",
}
DISTANCES = ("fid", "fd", "mifid", "mifd", "kid", "kd")
DISTANCE_READING = (
    "Distance between the samples and the data; lower is better. The file evaluations.jsonl describes how the distance "
    "was computed."
)
FIGURE_READING = "Quality metric of the samples. The file evaluations.jsonl describes how the metric was computed."

SHEETS = {
    "reconstruction": "Examples of the data. The row below each row of examples shows their reconstructions.",
    "walk": "Each row interpolates between the codes of two examples on a straight line, in equal steps.",
    "mixing": "Two groups of five rows. In each group, the first row shows samples A, and the second row shows samples "
    "B. The other rows show A with the coarse, the middle and the fine styles of B.",
    "truncation": "Two groups of four rows. The four rows of a group show the same samples with a truncation psi of 1, "
    "0.7, 0.5 and 0. With a psi of 0, all images are generated from the average style.",
    "noise": "The first row shows samples. The second row shows the same samples without noise, and the third row with "
    "other noise. The last row shows the standard deviation of each pixel over eight draws of the noise, multiplied by "
    "ten. Useful noise changes the texture of an image and not its content.",
    "interpolation": "Each pair of rows shows a transition between the same two samples: on an arc in z in the upper "
    "row, and on a straight line in w in the lower row.",
    "directions": "Two samples with four rows each. A row moves the sample along one of the four directions in w that "
    "the generator's weights amplify most (SeFa), from \u22123 to 3 standard deviations of w. Directions with nearly "
    "equal effects may swap places from one step to another.",
}
OTHER_SHEET = "Picture of this kind of data or of this experiment. It uses the same latents at every step."


def title(term: str) -> str:
    """Return the heading of a term of a loss, of a metric or of a sheet."""
    return TITLES.get(term, term[:1].upper() + term[1:].replace("_", " "))


def reading(term: str, names: Collection[str], players: int, default: str) -> str:
    """Return the caption of the chart of a metric.

    Args:
      term: the name of the metric without the player.
      names: the names of all metrics of the game, in the form ``player/term``.
      players: number of players of the game.
      default: the caption to return if this module has no caption for the metric.
    """
    readings = dict(READINGS)
    if players == 1:
        readings |= SINGLE_PLAYER_READINGS
    if any(name.endswith("/elbo") for name in names):
        readings |= ELBO_READINGS
    return readings.get(term, default)


def figure_title(figure: str) -> str:
    """Return the heading of a metric of evaluations. The heading does not name the features of the metric.

    Args:
      figure: the name of the metric, such as ``fid_768``.
    """
    return FIGURES.get(figure.partition("_")[0]) or figure.upper()


def figure_reading(figure: str) -> str:
    """Return the caption of the chart of a metric of evaluations.

    Args:
      figure: the name of the metric, such as ``fid_768``.
    """
    return DISTANCE_READING if figure.partition("_")[0] in DISTANCES else FIGURE_READING


def format_value(value: Any) -> str:
    """Format the value of a setting for readers of a report."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(map(format_value, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "not set" if value is None else str(value)


def format_number(value: float, spec: str = ".3f") -> str:
    """Format a number with a typographic minus sign, U+2212.

    Args:
      value: the number.
      spec: the format, as for the built-in function ``format``.
    """
    return f"{value:{spec}}".replace("-", "\u2212")

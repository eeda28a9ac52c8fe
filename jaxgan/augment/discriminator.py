"""Apply a discriminator to augmented images, in the losses of both players."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax

from jaxgan.augment.differentiable import diffaugment
from jaxgan.augment.pipeline import BGC, apply, draw
from jaxgan.augment.probability import AdaptiveProbability
from jaxgan.core.keys import fold_in_keys
from jaxgan.core.networks import Function, Net, Nets

Kind = Literal["none", "diffaugment", "ada"]

# Constants that are folded into the keys, so that the augmentations of real images and of fakes are independent.
_REALS, _FAKES = 0xA0D0, 0xA0D1


@dataclasses.dataclass(frozen=True)
class Augmented:
    """A discriminator that augments images before it evaluates them.

    Losses and gradient penalties can call this object like a ``Function``, a network with its weights.

    Attributes:
      d: the discriminator.
      augment: a function from images, [B, ...], to augmented images of the same shape.
    """

    d: Function
    augment: Callable[[jax.Array], jax.Array]

    def __call__(self, images: jax.Array, *args: Any, **kwargs: Any) -> Any:
        """Apply ``d`` to the augmented images. Other arguments are passed on unchanged."""
        return self.d(self.augment(images), *args, **kwargs)

    def with_stats(self, images: jax.Array, *args: Any, **kwargs: Any) -> Any:
        """Return the output of ``d`` and its new statistics, see ``Function.with_stats``, for the augmented images.

        Args:
          images: the images to augment, [B, H, W, C].
          *args: further inputs of ``d``, such as class labels.
          **kwargs: keyword arguments of the call of ``d``.
        """
        return self.d.with_stats(self.augment(images), *args, **kwargs)


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """The augmentation of the images that the discriminator of a game receives.

        augment = Augmentation("ada", AdaptiveProbability(batch_size=64))

        def discriminator_loss(nets, real, keys, step):
            d_real, d_fake = augment.views(nets, keys)
            real_logits, stats = d_real.with_stats(real)
            fake_logits = d_fake(nets.g(latents(keys, 128)))
            return total(hinge=losses.hinge_discriminator(real_logits, fake_logits), r1=losses.r1(d_real, real),
                         stats={"d": stats, **augment.stats(nets, real_logits)})

        def generator_loss(nets, real, keys, step):
            _, d_fake = augment.views(nets, keys)
            ...

        nets={"g": ..., "d": ..., **augment.nets}

    Attributes:
      kind: ``"none"``, ``"diffaugment"`` or ``"ada"``.
      probability: the network that computes the probability of ADA's transforms. The property ``nets`` returns it with
        the name ``"ada"``. Other kinds of augmentation do not use this network.
      transforms: a dictionary from the names of ADA's transforms to factors by which the probability is multiplied.

    Raises:
      ValueError: if ``kind`` is another name.
    """

    kind: Kind
    probability: AdaptiveProbability
    transforms: Mapping[str, float] = dataclasses.field(default_factory=lambda: BGC)

    def __post_init__(self):
        if self.kind not in ("none", "diffaugment", "ada"):
            raise ValueError(f"`kind` must be 'none', 'diffaugment' or 'ada', got {self.kind!r}.")

    @property
    def nets(self) -> dict[str, Net]:
        """The networks that must be added to the game: ``probability`` as ``"ada"`` for ADA, none for other kinds."""
        return {"ada": Net(self.probability)} if self.kind == "ada" else {}

    def views(self, nets: Nets, keys: jax.Array, name: str = "d") -> tuple[Any, Any]:
        """Return two views of a discriminator: one that augments real images, and one that augments fakes.

        A view is called like the discriminator. It augments the images before it applies the discriminator. The two
        views have independent augmentations. Within a turn, a view applies the same augmentation to an example in all
        calls. A gradient penalty such as R1 is therefore computed for the same function as the logits.

        Args:
          nets: the networks of the game.
          keys: PRNG keys, [B], one per example.
          name: the name of the discriminator.

        Returns:
          The view for real images and the view for fakes.
        """
        return self._view(nets, keys, name, _REALS), self._view(nets, keys, name, _FAKES)

    def stats(self, nets: Nets, real_logits: jax.Array) -> dict[str, Any]:
        """Return the statistics of the augmentation, which the loss of the discriminator must return.

        Args:
          nets: the networks of the game.
          real_logits: logits of the augmented real images, [B].

        Returns:
          The new state of ADA's probability, keyed by ``"ada"``; an empty dictionary for other kinds.
        """
        return {"ada": nets["ada"].with_stats(real_logits)[1]} if self.kind == "ada" else {}

    def metrics(self, nets: Nets) -> dict[str, jax.Array]:
        """Return the metric ``augment_p``, the probability of ADA; an empty dictionary for other kinds.

        Args:
          nets: the networks of the game by name. With ADA, ``nets["ada"]`` returns the probability.
        """
        return {"augment_p": nets["ada"]()} if self.kind == "ada" else {}

    def _view(self, nets, keys, name, fold):
        if self.kind == "none":
            return nets[name]
        keys = fold_in_keys(keys, fold)
        if self.kind == "diffaugment":
            return Augmented(nets[name], lambda images: diffaugment(keys, images))
        # The random numbers are drawn once for all calls of the view, because compiling ``draw`` takes seconds.
        drawn = draw(keys, nets["ada"](), self.transforms)
        return Augmented(nets[name], lambda images: apply(keys, images, drawn))

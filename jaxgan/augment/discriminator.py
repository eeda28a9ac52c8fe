"""The discriminator behind an augmentation, as both players' losses call it."""

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

_REALS, _FAKES = 0xA0D0, 0xA0D1  # folded into the keys


@dataclasses.dataclass(frozen=True)
class Augmented:
    """A discriminator that sees augmented images; it is called like a ``Function``, by penalties too.

    Attributes:
      d: the discriminator.
      augment: images to augmented images, [B, ...].
    """

    d: Function
    augment: Callable[[jax.Array], jax.Array]

    def __call__(self, images: jax.Array, *args: Any, **kwargs: Any) -> Any:
        """``d`` applied to the augmented images, and to the other arguments as they are."""
        return self.d(self.augment(images), *args, **kwargs)

    def with_stats(self, images: jax.Array, *args: Any, **kwargs: Any) -> Any:
        """Like ``Function.with_stats``; the statistics are those of ``d``."""
        return self.d.with_stats(self.augment(images), *args, **kwargs)


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """The augmentation between the images of a game and its discriminator.

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
      probability: the probability of ADA, which becomes the network ``"ada"``; the other kinds do not use it.
      transforms: the transforms of ADA by name, each with the factor of its probability.
    """

    kind: Kind
    probability: AdaptiveProbability
    transforms: Mapping[str, float] = dataclasses.field(default_factory=lambda: BGC)

    def __post_init__(self):
        if self.kind not in ("none", "diffaugment", "ada"):
            raise ValueError(f"Augmentation: `kind` must be 'none', 'diffaugment' or 'ada', got {self.kind!r}.")

    @property
    def nets(self) -> dict[str, Net]:
        """The networks that a game with this augmentation needs besides its own."""
        return {"ada": Net(self.probability)} if self.kind == "ada" else {}

    def views(self, nets: Nets, keys: jax.Array, name: str = "d") -> tuple[Any, Any]:
        """The discriminator as it sees real images, and as it sees generated ones, each with its own draws.

        Every call of a view in a turn augments an example in the same way, so R1 is that of the logits.

        Args:
          nets: the networks of the game.
          keys: [B], one per example.
          name: the name of the discriminator.
        """
        return self._view(nets, keys, name, _REALS), self._view(nets, keys, name, _FAKES)

    def stats(self, nets: Nets, real_logits: jax.Array) -> dict[str, Any]:
        """The statistics that the discriminator's player returns besides its own; ``real_logits`` are [B]."""
        return {"ada": nets["ada"].with_stats(real_logits)[1]} if self.kind == "ada" else {}

    def metrics(self, nets: Nets) -> dict[str, jax.Array]:
        """The metric ``augment_p``, the probability of ADA; none for the other kinds."""
        return {"augment_p": nets["ada"]()} if self.kind == "ada" else {}

    def _view(self, nets, keys, name, fold):
        if self.kind == "none":
            return nets[name]
        keys = fold_in_keys(keys, fold)
        if self.kind == "diffaugment":
            return Augmented(nets[name], lambda images: diffaugment(keys, images))
        # Drawn once for all calls, because compiling it takes seconds.
        drawn = draw(keys, nets["ada"](), self.transforms)
        return Augmented(nets[name], lambda images: apply(keys, images, drawn))

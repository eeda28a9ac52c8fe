"""The discriminator behind an augmentation, as both players' losses call it."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax

from jaxgan.augment.differentiable import diffaugment
from jaxgan.augment.pipeline import BGC, apply, draw
from jaxgan.augment.probability import AdaptiveProbability
from jaxgan.core.networks import Function, Net, Nets

Kind = Literal["none", "diffaugment", "ada"]

_REALS, _FAKES = 0xA0D0, 0xA0D1  # of the keys that are folded in


@dataclasses.dataclass(frozen=True)
class Augmented:
    """A discriminator that is shown augmented images: called as the ``Function`` is, for penalties too."""

    d: Function
    augment: Callable[[jax.Array], jax.Array]

    def __call__(self, images: jax.Array, *args: Any, **kwargs: Any) -> Any:
        """``d`` of the augmented images, and of the other arguments as they are."""
        return self.d(self.augment(images), *args, **kwargs)

    def with_stats(self, images: jax.Array, *args: Any, **kwargs: Any) -> Any:
        """As ``Function.with_stats``: the statistics are those of ``d``."""
        return self.d.with_stats(self.augment(images), *args, **kwargs)


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """What stands between a game's images and its discriminator.

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
      probability: ADA's; its state is that of the network ``"ada"``. Of no account to the other kinds.
      transforms: ADA's, by name, and the factor of each.
    """

    kind: Kind
    probability: AdaptiveProbability
    transforms: Mapping[str, float] = dataclasses.field(default_factory=lambda: BGC)

    def __post_init__(self):
        if self.kind not in ("none", "diffaugment", "ada"):
            raise ValueError(f"augmentation {self.kind!r}: there are 'none', 'diffaugment', 'ada'")

    @property
    def nets(self) -> dict[str, Net]:
        """The networks that a game with this augmentation has besides its own."""
        return {"ada": Net(self.probability)} if self.kind == "ada" else {}

    def views(self, nets: Nets, keys: jax.Array, name: str = "d") -> tuple[Any, Any]:
        """The discriminator as it sees reals, and as it sees fakes: draws of their own, by the examples' keys, [B].

        Every call of a view in a turn augments an example in the same way: R1 is that of the logits.
        """
        return self._view(nets, keys, name, _REALS), self._view(nets, keys, name, _FAKES)

    def stats(self, nets: Nets, real_logits: jax.Array) -> dict[str, Any]:
        """The statistics that the discriminator's player returns besides its own, from its logits of reals, [B]."""
        return {"ada": nets["ada"].with_stats(real_logits)[1]} if self.kind == "ada" else {}

    def metrics(self, nets: Nets) -> dict[str, jax.Array]:
        """What is worth logging: ``augment_p``, ADA's probability."""
        return {"augment_p": nets["ada"]()} if self.kind == "ada" else {}

    def _view(self, nets, keys, name, fold):
        if self.kind == "none":
            return nets[name]
        keys = jax.vmap(lambda key: jax.random.fold_in(key, fold))(keys)
        if self.kind == "diffaugment":
            return Augmented(nets[name], lambda images: diffaugment(keys, images))
        # Once for all calls: compiling it takes seconds.
        drawn = draw(keys, nets["ada"](), self.transforms)
        return Augmented(nets[name], lambda images: apply(keys, images, drawn))

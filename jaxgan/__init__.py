"""jaxgan: generative adversarial networks as pure functions.

A game is networks, players who own some of them and minimise a loss, and an order of turns; ``Game.step`` is
pure. Losses are in ``jaxgan.losses``, architectures in ``jaxgan.models``, several devices in
``jaxgan.parallel``, data in ``jaxgan.data``, the loop and the command line in ``jaxgan.training``.
"""

from jaxgan import losses as losses
from jaxgan.core.game import Game as Game, Player as Player, State as State, Terms as Terms, total as total
from jaxgan.core.keys import latents as latents
from jaxgan.core.networks import Function as Function, Net as Net, Nets as Nets
from jaxgan.version import __version__ as __version__

from jaxgan.game import Game as Game, Net as Net, Player as Player, State as State, total as total
from jaxgan.sampling import latents as latents

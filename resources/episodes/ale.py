"""`ale`: games of the Atari 2600."""

from __future__ import annotations

from resources.episodes.gymnasium import GymnasiumPlayer


class AlePlayer(GymnasiumPlayer):
    """Bellemare et al., The Arcade Learning Environment, 2013, arXiv:1207.4708; sticky actions as in Machado et al.,
    2018, arXiv:1709.06009, drawn from the item's seed. There is no oracle.
    """

    packages = ("gymnasium", "ale-py")
    world = "ale"

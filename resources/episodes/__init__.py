"""Episodes and streams: items that ask a model more than once."""

from resources.episodes.base import Episode, EpisodeFailed, Outcome, Player, Turn, Unanswered, opened

__all__ = ["Episode", "EpisodeFailed", "Outcome", "Player", "Turn", "Unanswered", "opened"]

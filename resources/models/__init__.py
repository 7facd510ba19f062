"""Models behind one interface. Implementations are imported where they are used."""

from resources.models.base import LMM, Instance, Media, Message, ModelUnusable, Response, ResponseError

__all__ = ["LMM", "Instance", "Media", "Message", "ModelUnusable", "Response", "ResponseError"]

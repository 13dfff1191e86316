"""First generation, Napster: indexes of what others share; any node can serve one, and nobody depends on just one."""

from peerage.overlay.index.messages import IndexAt
from peerage.overlay.index.overlay import IndexOverlay
from peerage.overlay.index.rules import IndexRules

__all__ = ["IndexAt", "IndexOverlay", "IndexRules"]

"""The second generation mended, FastTrack: nodes that are up to it elect themselves and answer for the others."""

from peerage.overlay.supernode.election import Role
from peerage.overlay.supernode.messages import SupernodeAt
from peerage.overlay.supernode.overlay import Setting, SupernodeOverlay
from peerage.overlay.supernode.rules import Capacity, SupernodeRules

__all__ = ["Capacity", "Role", "Setting", "SupernodeAt", "SupernodeOverlay", "SupernodeRules"]

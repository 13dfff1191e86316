"""Second generation, Gnutella: questions go from neighbour to neighbour, and answers come back the same way."""

from peerage.overlay.flood.overlay import FloodOverlay
from peerage.overlay.flood.state import FloodRules

__all__ = ["FloodOverlay", "FloodRules"]

"""What came after the third generation: a distributed hash table, after Kademlia and S/Kademlia."""

from peerage.overlay.dht.overlay import DhtOverlay
from peerage.overlay.dht.rules import DhtRules

__all__ = ["DhtOverlay", "DhtRules"]

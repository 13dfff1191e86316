"""The framework: one node's operations, as in the 2007 deck's Peer and PeerConnection modules, in modern form."""

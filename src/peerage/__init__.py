"""Peerage: share, find, fetch and verify with no server; a peer-to-peer framework and the node built on it."""

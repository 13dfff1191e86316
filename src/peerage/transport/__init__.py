"""Links: authenticated, ordered, reliable byte channels to one other peer, over TCP or in memory."""

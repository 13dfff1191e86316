"""A demonstration: a small network of real nodes on this computer, for a newcomer who knows nobody yet."""

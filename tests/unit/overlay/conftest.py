"""Lets the tests of each overlay, in their folders, import the suite and the world that they share."""

"""Attacks: worlds in which some are hostile or something breaks, each run with the defence and without it."""

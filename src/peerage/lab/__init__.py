"""The laboratory: virtual time and simulated worlds in which the real node code runs."""

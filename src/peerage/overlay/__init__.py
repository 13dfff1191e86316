"""How things are found: one interface, one file for each generation of peer-to-peer networks."""

"""The command line: what a person or a script types, turned into questions to the node of the same home folder."""

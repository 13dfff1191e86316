"""How bytes move: what content is, which piece to ask of whom, and where pieces live on disk."""

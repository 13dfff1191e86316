"""A model of the overlays for a million peers: arrays instead of nodes, the same rules, the same figures (docs/lab.md).

Needs numpy. Nothing here is imported by the rest of the laboratory but when the model is asked for.
"""

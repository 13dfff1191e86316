"""One search over all generations: by need, within a budget, and with an account of what was done."""

from peerage.overlay.planner.local import LocalCatalogue
from peerage.overlay.planner.plan import Over, Rarity
from peerage.overlay.planner.planner import PlannedSearch, Planner
from peerage.overlay.planner.stage import Stage

__all__ = ["LocalCatalogue", "Over", "PlannedSearch", "Planner", "Rarity", "Stage"]

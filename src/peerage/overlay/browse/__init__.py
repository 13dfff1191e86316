"""Looking through what one peer shares, folder by folder, without searching."""

from peerage.overlay.browse.browsing import Browsing, Listing

__all__ = ["Browsing", "Listing"]

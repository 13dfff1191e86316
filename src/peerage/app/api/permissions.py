"""Who may do what over HTTP: a role has permissions, and each route needs one.

Invariant: a route that is not listed here needs `administer`, so a new one is closed until somebody has thought about
it; a test wants every route listed. A guest changes nothing.
"""

from __future__ import annotations

from typing import Final, Literal

Permission = Literal["view", "search", "download", "share", "administer"]
RoleName = Literal["owner", "user", "guest"]

PERMISSIONS: Final[dict[RoleName, frozenset[Permission]]] = {
    "owner": frozenset({"view", "search", "download", "share", "administer"}),
    "user": frozenset({"view", "search", "download", "share"}),
    "guest": frozenset({"view", "search"}),
}

_ROUTES: Final[dict[Permission, str]] = {
    "view": """
        doctor
        status identity metrics openapi shares link transfers transfer progress content content_inside content_files
        events pieces sources statistics peers old_peers limits votes followed wishes wish_results me leave qr demo
    """,
    "search": "search browse",
    "download": """
        fetch pause resume cancel prioritise choose_files move limit_transfer forget forget_finished
        add_wish see_wish remove_wish
    """,
    "share": "share unshare folders drop add_vote",
    "administer": """
        logs uploads down connect connect_classic change_peer change_limits change_followed keys add_key remove_key
        change_password make_link settings change_settings reload_settings start_demo stop_demo
    """,
}
NEEDS: Final[dict[str, Permission]] = {
    name: permission for permission, names in _ROUTES.items() for name in names.split()
}
"""The permission that each route needs, by the name of its function."""

OPEN: Final = frozenset({"login"})
"""The routes that are there to become somebody."""


def allowed(role: RoleName, route: str) -> bool:
    """Whether a role may use a route."""
    return NEEDS.get(route, "administer") in PERMISSIONS[role]

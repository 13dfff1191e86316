"""The configuration file as it is written at first start: each setting with its default, commented out, and explained.

Invariant: without the marks of comment it says what the defaults of `config.Config` say; a test holds it to that.
"""

from __future__ import annotations

from typing import Final

from peerage.identity.network import PUBLIC_NETWORK
from peerage.limits import UPLOAD_SLOTS

_TEXT: Final = """\
# Peerage: the settings of this node. What begins with # is a comment and shows the default.
# "peerage reload" lets a running node read it again; what it cannot use without a restart, it names. Flags of the
# command line go before what stands here.

# Where other peers reach this node, HOST:PORT. Without a host: every interface, IPv4 and IPv6.
# If port {port} is taken, a free one is used, and "peerage status" says which.
# listen = ":{port}"

# Where the command line and the web page reach this node; only addresses of this computer.
# api = "127.0.0.1:{api_port}"

# Whom this node can talk to: a public network by its name ...
# network = "{network}"
# ... or a private one, of all who have the same secret. A path; only you should be able to read the file.
# secret_file = ""

# Find peers on the local network. Tells it this node's id and port, and nothing else.
# lan = true

# Peers to connect to at every start: ["192.0.2.7:{port}", "peer.example.org:{port}"].
# connect = []

# How this node finds things: "auto" is everything that helps, by need; "index", "flood" and "dht" are one way alone,
# "supernode" is flooding with supernodes.
# overlay = "auto"

# Keep an index for others: they register what they share with this node, and search it.
# serve_index = false

# Indexes to register with and to search, HOST:PORT or PEER_ID@HOST:PORT; several are used at once.
# index = []

# Who may look through what this node shares, without searching: "everyone", "friends" or "nobody". Whoever may look
# sees what he would find.
# browse = "everyone"

# The clear-text port for peers of 2007, HOST:PORT; without a host only for this computer. "": there is none. It is
# neither encrypted nor authenticated: whoever reaches it sees and fetches what is shared as public.
# classic = ""

# Peers of 2007 to join at every start, while there is a classic port: ["192.0.2.7:5678"].
# classic_connect = []

# Where finished downloads go.
# downloads = "~/Downloads/peerage"

# The folders that the page may look through, for the owner to choose what to share; hidden names and links
# are left out.
# folders = ["~"]

[limits]
# Speeds in bytes a second, 0: no limit. "peerage limits" changes these lines.
# down = 0
# up = 0
# How many peers are served at once; the others wait for their turn.
# upload_slots = {slots}
# How many downloads run at once, the others wait in a queue; 0: as many as is sensible. Those that get nothing
# do not count.
# downloads_at_once = 0

[schedule]
# Slower at certain hours: whether it is on, and the speeds then, in bytes a second; 0: as always.
# on = false
# down = 0
# up = 0
# In local time: ["mon-fri 08:00-18:00", "sat,sun 10-12", "22:30-06:00"]. The last is every night.
# hours = []

[remote]
# Where other computers reach the API and the web page, HOST:PORT; "" is nowhere. It needs a certificate and its key, as
# PEM files, and a password: "peerage keys password". See docs/api.md.
# listen = ""
# certificate = ""
# key = ""
# What other computers call this one, besides its addresses: ["node.example.org"].
# names = []

[log]
# debug, info, warning or error. The log is in the file "log" of this folder.
# level = "info"
# "text" for people; "json" for programs: one object a line.
# format = "text"
"""


def template(port: int, api_port: int) -> str:
    """Return the text of the file, for these usual ports."""
    return _TEXT.format(port=port, api_port=api_port, network=PUBLIC_NETWORK, slots=UPLOAD_SLOTS)

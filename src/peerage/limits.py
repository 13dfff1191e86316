"""Every bound and default, each with its reason.

Invariant: nothing that another peer can cause grows without one of these. The constants bound single things on the
wire; `Limits` bounds what one process holds and can be changed by whoever builds a Peer.
"""

from __future__ import annotations

import msgspec

KIB = 1024
MIB = 1024 * KIB

# --- the wire -------------------------------------------------------------------------------------------------
MAX_CONTROL_PAYLOAD = 64 * KIB  # a message is small talk; anything larger is content and goes in pieces or parts
MAX_BULK_PAYLOAD = 16 * MIB  # the largest piece; received into memory that the asking side set aside for it
MAX_PART_PAYLOAD = 48 * KIB  # answers in parts cut here, which leaves room for the struct round the bytes
MAX_PARTS = 2048  # parts of one answer: 96 MiB, more than the largest manifest
MAX_MANIFEST = 64 * MIB  # two million pieces: a folder of 2 TiB at 1 MiB a piece

# --- time, in seconds -------------------------------------------------------------------------------------------
DIAL_TIMEOUT = 5.0  # TCP connect: three SYNs are out by then
HANDSHAKE_TIMEOUT = 10.0  # TLS and HELO: slow links need two, a silent one must not hold a slot
REQUEST_TIMEOUT = 10.0  # a peer that needs longer for small talk is as good as gone
PING_INTERVAL = 30.0  # keeps NAT mappings open, which last 30 s at the worst
PING_TIMEOUT = 10.0

# --- records, names and addresses ------------------------------------------------------------------------------
MAX_NAME_BYTES = 255  # what common file systems take for one path component
MAX_PATH_BYTES = 4096  # and for a whole path
MAX_QUERY_CHARS = 256  # nobody types more, and each word costs an index look-up on every node asked
MAX_QUERY_TERMS = 16
MAX_ADDRESSES = 8  # addresses of one peer: two families, a few networks
MAX_META_CHARS = 256  # title, artist, album
MAX_FOLDER_FILES = 200_000  # entries of one folder manifest
MAX_FOLDER_DEPTH = 64  # components of a path in it: each costs a check, and real folders stay below 30
MAX_MIME_CHARS = 100  # the longest registered type has 73
MAX_RECORD_PATH = 16  # folder names that lead to a file in a share: more say nothing about it
MAX_RECORD_PATH_BYTES = 512  # and all of them together
MAX_RECORD_BYTES = 5 * KIB  # every field of a record at its longest, in four-byte characters

# --- the catalogue ----------------------------------------------------------------------------------------------
MAX_LEARNED_RECORDS = 1_000_000  # records of others: about 1 GiB of disk; the oldest give way
MAX_RECORDS_PER_HOLDER = MAX_FOLDER_FILES + 1000  # one peer must not push all others out of the catalogue
SEARCH_POOL = 1000  # matches that are ranked, the newest first: a million hits for "the" must not be sorted
SEARCH_STEPS = 20_000_000  # database instructions of one search, about half a second; then what was found is the answer
MAX_SEARCH_HITS = 1000  # hits of one answer
MAX_IGNORE_BYTES = 256 * KIB  # a .peerageignore file

# --- content: pieces in flight and on disk ----------------------------------------------------------------------
WINDOW_SECONDS = 2.0  # what a source has on order: two seconds of its own pace covers any round trip on Earth
MIN_WINDOW = 2 * MIB  # enough to measure a new source, and 20 MB/s at 100 ms
MAX_WINDOW = 32 * MIB  # 320 MB/s at 100 ms; more would only be lost when the source goes
MAX_IN_FLIGHT = 48 * MIB  # pieces on order or being checked, of all sources of one download: keeps memory flat
MAX_SOURCES = 100  # of one download: more add upkeep, not speed
MAX_OWED = 512  # pieces on order from one source: counts only for many small files
MAX_COPIES = 2  # sources that may race for one piece at the end of a download
STALL_SECONDS = 15.0  # a source that sends nothing of what it owes for so long is dropped
SILENT_SECONDS = 3.0  # before that, others may take over what it owes
MAX_OPEN_FILES = 64  # files that one store keeps open
DIRTY_FILES = 32  # files synced one by one; with more of them the whole file system is synced at once



class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one Peer holds at the most; the numbers fit a home computer and 256 MiB of memory."""

    connections: int = 256  # an open TLS link costs about 100 KiB
    connections_per_peer: int = 8  # one to talk, one for bulk in each direction, and a few that are just closing
    connections_per_address: int = 64  # a household or an office behind one address
    pending_handshakes: int = 64  # half-open links; the oldest gives way, so honest ones (milliseconds) pass
    tasks_per_link: int = 64  # coroutine handlers at work for one peer
    tasks: int = 2048  # and for all
    requests_per_link: int = 65_536  # outstanding questions of ours on one link: 4 MiB of futures
    write_buffer: int = 4 * MIB  # unsent bytes of one link; above it that link is no longer read
    known_peers: int = 2000  # the peer table on disk
    neighbours: int = 32  # talk links that this node keeps up by itself
    handshake_timeout: float = HANDSHAKE_TIMEOUT
    idle_timeout: float = 90.0  # three missed pings


DEFAULT = Limits()

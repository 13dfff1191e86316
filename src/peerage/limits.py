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
MAX_REASON_CHARS = 500  # of a refusal: a sentence or two
MAX_HELD_REQUESTS = MIB  # of a peer that does not read its answers; above it that link is no longer read

# --- time, in seconds -------------------------------------------------------------------------------------------
DIAL_TIMEOUT = 5.0  # TCP connect: three SYNs are out by then
HANDSHAKE_TIMEOUT = 10.0  # TLS and HELO: slow links need two, a silent one must not hold a slot
REQUEST_TIMEOUT = 10.0  # a peer that needs longer for small talk is as good as gone
PING_INTERVAL = 30.0  # keeps NAT mappings open, which last 30 s at the worst
PING_TIMEOUT = 10.0

LINK_IDLE = 120.0  # a talk link that nobody holds and nobody used for so long is closed by the side that dialled it
PRESSURE_GRACE = 20.0  # a link used so lately is not closed for want of places: a crowd of newcomers displaces nobody

# --- neighbours -------------------------------------------------------------------------------------------------
NEIGHBOURS_WANTED = 5  # neighbours that a node seeks: HyParView's, and 95 % still hear each other when half are dead
NEIGHBOURS_SPARE = 1  # more that it takes when they ask: so that everybody who seeks finds
PASSIVE_VIEW = 30  # peers remembered for the day when neighbours are lost (HyParView)
JOIN_WALK = 6  # steps of a newcomer's random walk (HyParView: ARWL)
JOIN_WALKS = 2  # such walks: with the first peer three who take the newcomer, and three who give way and ask it, too
JOIN_PATIENCE = 2.0  # seconds for these to come, before a newcomer asks others
PASSIVE_WALK = 3  # steps that are left of it where the newcomer is only remembered (HyParView: PRWL)
SHUFFLE_WALK = 3  # steps of an exchange: so far a hundred others are, and every round leads to another of them
SHUFFLE_INTERVAL = 30.0  # seconds between two exchanges of remembered peers, give or take half
CALM_SECONDS = 300.0  # seconds without a change among the neighbours after which shuffles become rare
CALM_ROUNDS = 4  # then only one in so many takes place
SHUFFLE_ACTIVE = 3  # neighbours in one exchange
SHUFFLE_PASSIVE = 4  # remembered peers in it
NEIGHBOUR_DIAL = 4.0  # seconds to dial one who is to be a neighbour: two TLS handshakes round half the globe
NEIGHBOUR_TIMEOUT = 2.0  # seconds for the answer
NEIGHBOURS_ASKED = 3  # asked at once
REFUSED_PAUSE = 20.0  # seconds before one who refused is asked again
PEERS_PER_SUBNET = 2  # of one /24 (IPv6: /48) in a view: addresses of one network are cheap to have
TOLD_SHARE = 5  # one teller may fill one part in so many of the passive view
MAX_TELLING = 64  # walks whose way back is remembered, of others
WALKS_RATE = 2.0  # walks a second that one neighbour may bring, and how many at once
WALKS_BURST = 40.0
JOINS_RATE = 20.0  # newcomers a second whose walks begin here; more are neighbours all the same
JOINS_BURST = 100.0
LOST_KEPT = 16  # neighbours that vanished and are looked for again: they may be behind a cut
LOST_PAUSE = 20.0  # seconds before the first look, doubled up to LOST_PAUSE_MAX
LOST_PAUSE_MAX = 600.0
LOST_TRIES = 8  # looks at most: within an hour a cut has healed, or the peer table has the rest
MEET_INTERVAL = 15.0  # seconds between two looks at whether there are enough
DIALS_AT_ONCE = 4  # strangers dialled together
DIAL_PAUSE = 15.0  # seconds before a peer that did not answer is tried again, doubled each time
DIAL_PAUSE_MAX = 3600.0
MAX_ANCHORS = 64  # addresses to come back to
MAX_PAUSES = 2000  # peers that did not answer, each with the time of the next try
REACH_INTERVAL = 60.0  # seconds between two looks at whether strangers can dial this node
REACH_CURRENT = 3600.0  # seconds for which it counts that one could, or could not: routers and leases change
MAX_EVIDENCE = 16  # subnets whose word is kept: two that agree are enough
DIAL_BACK_TIMEOUT = 6.0  # seconds for a dial that proves it: a router that lets nobody in answers not at all
DIAL_BACK_PAUSE = 60.0  # seconds between two dials to one host for its sake
DIAL_BACK_RATE = 1.0  # dials a second for the sake of others, and how many at once
DIAL_BACK_BURST = 10.0
MAX_DIALLED_BACK = 1000  # hosts that were dialled lately
ASKED_AT_MOST = 12  # peers asked to be neighbours at once, those at the end of newcomers' walks included

# --- records, names and addresses ------------------------------------------------------------------------------
MAX_NAME_BYTES = 255  # what common file systems take for one path component
MAX_PATH_BYTES = 4096  # and for a whole path
MAX_QUERY_CHARS = 256  # nobody types more, and each word costs an index look-up on every node asked
MAX_QUERY_TERMS = 16
MAX_ADDRESSES = 8  # addresses of one peer: two families, a few networks
MAX_APART = 1000  # peers kept to one node since its start: five for each demonstration that somebody begins
MAX_META_CHARS = 256  # title, artist, album
MAX_FOLDER_FILES = 200_000  # entries of one folder manifest
MAX_FOLDER_DEPTH = 64  # components of a path in it: each costs a check, and real folders stay below 30
MAX_MIME_CHARS = 100  # the longest registered type has 73
MAX_RECORD_PATH = 16  # folder names that lead to a file in a share: more say nothing about it
MAX_RECORD_PATH_BYTES = 512  # and all of them together
MAX_RECORD_BYTES = 5 * KIB  # every field of a record at its longest, in four-byte characters
MAX_LINK_CHARS = 8192  # of a content link: a name of 255 escaped bytes and 16 sources take half of it
MAX_LINK_SOURCES = 16  # sources named in a content link: one that lives is enough, the rest is found

# --- the catalogue ----------------------------------------------------------------------------------------------
MAX_LEARNED_RECORDS = 1_000_000  # records of others: about 1 GiB of disk; the oldest give way
MAX_RECORDS_PER_HOLDER = MAX_FOLDER_FILES + 1000  # one peer must not push all others out of the catalogue
SEARCH_POOL = 1000  # matches that are ranked, the newest first: a million hits for "the" must not be sorted
SEARCH_STEPS = 20_000_000  # database instructions of one search, about half a second; then what was found is the answer
WORK_STEPS = 200_000  # instructions of one unit of work, about 5 ms: who asks an index for more uses up its rate
MAX_SEARCH_HITS = 1000  # hits of one answer
MAX_IGNORE_BYTES = 256 * KIB  # a .peerageignore file
HASHING_JOBS = 4  # files hashed at once: more only fight for the disk
MAX_SKIPPED_LISTED = 1000  # files left out of a share that are listed by name; the rest is counted

# --- an index of records for others -----------------------------------------------------------------------------
MAX_INDEX_RECORDS = 10_000_000  # in all: some 8 GiB of disk; beyond that new ones are refused, not old ones dropped
INDEX_PIECE = 5000  # records put or deleted in one transaction: a search may have to wait for one
INDEXES_USED = 3  # indexes that one node registers with, and asks at once: none of them is a single point of failure
INDEXES_KNOWN = 16  # indexes that a node knows of, and asks one after another for what is rare
INDEXES_TOLD = 8  # indexes in one announcement
INDEX_LEASE = 1800.0  # seconds for which a holder's records stay in an index; renewed at half of it
MAX_INDEX_LEASE = 7200  # what others may ask for: longer, and an index is full of who has long gone
INDEX_SKEW = 300  # seconds by which the clock of another may be wrong
INDEX_KEPT = 600.0  # seconds for which records of a holder that has left are kept, unseen: it may come back at once
INDEX_UPKEEP = 60.0  # seconds between two looks at what has to be renewed, tried again or forgotten
INDEX_QUIET = 1.0  # seconds in which changes are collected before they are told
INDEX_PATIENCE = 2.0  # seconds without a word after which another index is asked as well
INDEX_RETRY = 30.0  # seconds before an index that failed is tried again, doubled up to INDEX_RETRY_MAX
INDEX_RETRY_MAX = 1800.0
INDEX_REMOVALS = 10_000  # withdrawn records remembered for indexes that have not been told; beyond it all starts afresh
INDEX_KEYS = 1000  # withdrawals in one message: 45 KiB
INDEX_QUERIES_RATE = 20.0  # questions a second that an index takes over one link, and how many at once
INDEX_QUERIES_BURST = 100.0
INDEX_RECORDS_RATE = 500.0  # records a second that an index takes of one holder: each signature costs 0.1 ms
INDEX_RECORDS_BURST = 20_000.0  # most people share less, and all of it at once
INDEX_TENANTS_PER_SUBNET = 256  # holders of one /24 or /48: as many as an honest one has addresses
INDEX_RECORDS_PER_SUBNET = 1_000_000  # and what they register together
MAX_LEASE_BYTES = 3 * KIB  # eight addresses at their longest, and the signature
INDEX_READERS = 2  # threads that search an index on disk, beside the one that writes

# --- content: pieces in flight and on disk ----------------------------------------------------------------------
WINDOW_SECONDS = 2.0  # what a source has on order: two seconds of its own pace covers any round trip on Earth
MIN_WINDOW = 2 * MIB  # enough to measure a new source, and 20 MB/s at 100 ms
MAX_WINDOW = 32 * MIB  # 320 MB/s at 100 ms; more would only be lost when the source goes
MAX_IN_FLIGHT = 48 * MIB  # pieces on order or being checked, of all sources of one download: keeps memory flat
MAX_SOURCES = 100  # of one download: more add upkeep, not speed
MAX_OWED = 512  # pieces on order from one source: counts only for many small files
MAX_COPIES = 2  # sources that may race for one piece at the end of a download
UPLOAD_SLOTS = 8  # peers served at once: enough to fill any line, few enough that pieces are soon whole and passed on
UPLOAD_TURN = 64 * MIB  # what one peer gets before the next that waits has its turn
UPLOAD_TURN_SECONDS = 30.0  # and for how long, however slowly it reads
UPLOAD_GRACE = 2.0  # seconds in which a peer that has got all it asked for may ask for more: a long way there and back
UPLOAD_PATIENCE = 30.0  # seconds in which a peer that is served must read something
MAX_UPLOAD_PEERS = 1000  # peers that may wait for a slot
MAX_ASKED = 2 * MAX_OWED  # pieces that one link may have asked for: honest ones stay below half of it
WANTED_PER_LINK = 64  # contents that one link is told of; the oldest gives way
QUEUED_TIMEOUT = 3600.0  # seconds that a download waits in another's queue without a word; pings notice dead links
MANIFESTS_AT_ONCE = 3  # sources that one download asks for its manifest together: each may send 64 MiB to be checked
MAX_REFUSALS = 16  # pieces in a row that a source may refuse before it counts as one that has lied
MAX_BANNED = 1000  # sources that one download remembers never to use again
SOURCE_ADDRESSES = 16  # kept of one source: its own and what others say
SOURCE_RETRY = 5.0  # seconds before a lost source is tried again, doubled up to SOURCE_RETRY_MAX
SOURCE_RETRY_MAX = 120.0
LOCATE_INTERVAL = 30.0  # seconds between two searches for more sources of a running download
COMMIT_BYTES = 64 * MIB  # written pieces are flushed and marked after so many bytes
COMMIT_SECONDS = 2.0  # and after so long: what a crash can cost
HAVE_INTERVAL = 0.2  # seconds between two notices of new pieces to those who asked for the same content
MAX_WATCHERS = 1000  # links that are told of new pieces
MAX_FREE_BUFFERS = 16 * MIB  # piece buffers kept for the next piece: memory that has been touched is fast
MAX_ACTIVE_DOWNLOADS = 16  # at once; the others wait
IDLE_SECONDS = 60.0  # without a byte, after which a running download does not count against the owner's number of them
YIELD_SECONDS = 300.0  # and after which it gives way, when all places are taken by such and others wait
BENCH_SECONDS = 600.0  # for which it then stands back
MAX_RULES = 1000  # patterns with a priority in one download
MAX_LEVELS = 10_000  # files of one download that are given a priority in one request
MAX_KEYS = 100  # to one node: a household, a laboratory, a class
MAX_SESSIONS = 100  # of pages that were let in; the oldest gives way
MAX_CLIENTS = 1000  # of the API whose requests or guesses are counted
LOGIN_ATTEMPTS = 5  # guesses at a password from one address in ...
LOGIN_PERIOD = 60.0  # ... so many seconds, and ten times as many from all
API_RATE = 200.0  # requests a second with one key, on average ...
API_BURST = 1000.0  # ... and at once: a page that opens, a command that lists much
GIVEN_KEPT = 1000  # uploads (of one content to one peer) that are remembered for the owner
LOGS_KEPT = 2000  # lines of the log that the API gives
MAX_LOG_CHARS = 4000  # of one of them, and of its traceback
EVENTS_KEPT = 1000  # of each kind, for those who follow over HTTP: a minute of a busy node
MAX_FOLLOWERS = 64  # who follow at once: each page, each command that shows progress
FOLDER_ENTRIES = 2000  # of one folder, told to the page: nobody scrolls through more
FOLDER_NAMES = 200_000  # looked at to find the first of them by name
MAX_QR_BYTES = 1800  # of a text in a QR code: a link with eight addresses has 600, and cameras give up beyond 2 kB
DROPS_AT_ONCE = 8  # files that are handed in over HTTP at once; each holds a portion in memory
DROP_PATIENCE = 60.0  # seconds without a byte after which such a file is given up
DISK_RESERVE = 256 * MIB  # left free by what is handed in: for the catalogue, the log and running downloads
MAX_READERS = 32  # who read files over HTTP at once; each holds one piece in memory, 16 MiB at the most
READ_AHEAD = 8 * MIB  # of a file that is played while it comes in: half a minute of a good film
MAX_DOWNLOADS = 20_000  # listed, ended ones included
STALL_SECONDS = 15.0  # a source that sends nothing of what it owes for so long is dropped
SILENT_SECONDS = 3.0  # before that, others may take over what it owes
MAX_OPEN_FILES = 64  # files that one store keeps open
DIRTY_FILES = 32  # files synced one by one; with more of them the whole file system is synced at once

# --- overlays: questions to many peers ----------------------------------------------------------------------------
SEARCH_TTL = 7  # links that a question may travel: it widens step by step, and no farther than it must
MAX_SEARCH_TTL = 7  # what others may ask for; Gnutella's bound, and far more than a well-knit network needs
SEARCH_SECONDS = 10.0  # how long a search waits by itself
MAX_SEARCH_SECONDS = 30.0  # how long relays know the way back: later answers are lost
SEARCH_MESSAGES = 2000  # sent and received by the asker of one search
SEARCH_BYTES = 4 * MIB  # the same in bytes
MAX_SEARCH_MESSAGES = 100_000  # the most that a user may allow one search: what a flood of a large network costs
MAX_SEARCH_BYTES = 256 * MIB  # the same in bytes
MAX_OWN_SEARCHES = 100  # searches of this node at once
OWN_QUESTIONS_RATE = 2.0  # questions a second that this node asks, and how many at once
OWN_QUESTIONS_BURST = 10.0
RELAYED_RATE = 8.0  # questions of others a second that this node sends over one link
RELAYED_BURST = 40.0
FAIR_SECONDS = 10.0  # for which it counts how many questions a link has brought, when there is not room for all
LINK_QUESTIONS_RATE = 12.0  # what one link may bring: both of the above, and a little for what was held up on the way
LINK_QUESTIONS_BURST = 60.0
TABLE_INTERVAL = 60.0  # seconds between two changes of a keyword table that neighbours are told of
TABLE_BURST = 4.0  # changes that may be told sooner, so that what is shared now and then is found at once
TABLE_DELAY = 1.0  # seconds in which changes are collected
MAX_TABLE_DEPTH = 2  # levels of tables that there are
TABLE_DEPTH = 2  # hops that tables cover: this node's own, and one of all its neighbours
TABLES_RATE = 0.2  # tables a second that one link may bring: two levels, each in up to three parts, and some haste
TABLES_BURST = 30.0
TABLE_BYTES = 192 * KIB  # of one table on the wire: the largest raw, and what packing may add
AUDIT_SHARE = 0.5  # of the questions to a peer that it answers itself: above it, it is asked one without an answer
AUDIT_INTERVAL = 60.0  # seconds between two of those
AUDIT_STRIKES = 2  # answered ones after which a peer is not believed any more
AUDIT_SUSPECTS = 1000  # decoys under way, and liars remembered
LIAR_SECONDS = 3600.0  # for so long: keys change hands, and programs are mended
MAX_LINK_DEGREE = 64  # links that a neighbour is believed to have
DYNAMIC_PROBES = 3  # links asked first: enough to see how common a thing is
DYNAMIC_HORIZON = 20_000  # hosts that a question reaches at the most; what is rarer is a matter for the hash table
DYNAMIC_SPARED = 0.2  # share of all hosts, where these are counted, that need not be asked: each thing is with three
DYNAMIC_HOP_SECONDS = 0.25  # there and back over one link, until answers show how long it really takes
DYNAMIC_HOP_LEAST = 0.05  # a neighbour on the same computer is quicker, but its disk is not
DYNAMIC_HOP_MOST = 1.0  # whoever is slower holds up nobody
DYNAMIC_LAST_SECONDS = 2.0  # to wait for answers when nobody is left who could be asked
MAX_ASKED_TEXTS = 1024  # queries that are kept parsed: the same comes from several sides, and again when it widens
SLOW_LINK = 256 * KIB  # unsent bytes above which a link gets no more questions and answers of others
SEEN_QUESTIONS = 65_536  # question ids remembered, about 11 MiB: 45 busy links for SEEN_SECONDS
SEEN_SECONDS = 120.0  # longer than a question travels, however slow its relays
ROUTES = 16_384  # ways back remembered: 45 busy links for MAX_SEARCH_SECONDS
ANSWER_HITS = 50  # hits that one node gives to one question
ANSWER_RECORDS = 64  # records in one message
QUESTION_HITS = 1000  # hits that pass one node on their way back to one asker
QUESTION_HITS_PER_LINK = 500  # and those over one link, so that one spammer cannot take the place of all others
QUESTION_BYTES = 2 * MIB  # the same in bytes, over all links
WAITING_ANSWERS = 256  # questions that wait for the local catalogue
ANSWERS_AT_ONCE = 2  # of them at work: a search of this node's own user waits behind no more than these
PLAN_NEIGHBOUR_TTL = 2  # links that the first look round goes: the neighbours and theirs, some sixty peers
PLAN_IDLE_SECONDS = 2.0  # nothing is sent or received for so long: a search waits for nobody any more
PLAN_IDLE_SHARE = 0.25  # or for this share of its time, where somebody gave it more
PLAN_LEAST_SECONDS = 0.2  # a stage that would have less is not begun: no answer comes back so soon
PLAN_SATISFIED_SHARE = 0.25  # of what is wanted: with so much found, dear overlays are not asked
PLAN_FEW = 3  # results that are few, however few are wanted
PLAN_MANY = 20  # results that show that something is common
PLAN_REMEMBERED = 1024  # queries, and parts of queries, of which it is remembered how common they were
PLAN_REMEMBERED_SECONDS = 3600.0  # and for how long: what a network shares changes by the hour
PLAN_WAITING = 64  # results of the stages that wait for whoever searches
HOLDERS_PER_SUBNET = 2  # of one content that count in its rank: addresses in one /24 are cheap to have
BROWSE_PAGE = 1000  # records of a peer's shares in one answer: 0.3 MB, and 60 ms of checking
BROWSE_PAGES_SCANNED = 10  # pages looked through for one answer, where few records are in the folder asked for
BROWSE_PAGES = 4  # answers at work at once: each reads a thousand records
BROWSE_RATE = 4.0  # pages a second that one link may ask for, and how many at once
BROWSE_BURST = 40.0
BROWSE_RECORDS = 20_000  # that one look through a peer's shares takes: 6 MB; below a folder there are fewer
MAX_WISHES = 50  # saved searches: each costs its neighbours a search now and then
MAX_WISH_RESULTS = 100  # kept of one of them; the oldest give way
MAX_WISH_KNOWN = 1000  # contents that one of them does not tell of again
WISH_HOLDERS = 8  # kept of one result: whoever downloads it looks for more
WISH_LOOK = 15.0  # seconds between two looks whether one is due, so also the least between two searches
WISH_PAUSE = 1200.0  # seconds between two searches for one wish; Soulseek asks for the same
WISH_PAUSE_MAX = 21_600.0  # and when nothing new was found for long
WISH_RETRY = 60.0  # seconds before the next try when there was nobody to ask
WISH_SECONDS = 15.0  # that such a search takes: nobody waits for it
WISH_HITS = 50  # contents that one search for a wish looks for
WISH_MESSAGES = 200  # sent and received for it
WISH_BYTES = 512 * KIB
MERGED_CONTENTS = 1000  # contents in one list of hits
MERGED_HITS = 200  # hits about one content: its names and holders

# --- the classic port: the clear-text wire of 2007 ------------------------------------------------------------------
MAX_CLASSIC_PAYLOAD = 64 * KIB  # of any message but a file: an id, a host, a search key; old peers send below 300 bytes
MAX_CLASSIC_ANSWER = 256 * KIB  # all answers to one request but a file: a LIST of two thousand peers
CLASSIC_CONNECTIONS = 128  # at once on the classic port, 3 MiB; those that say nothing give way
CLASSIC_CONNECTIONS_PER_ADDRESS = 64  # an old program opens one for each message, from as many threads as it has
CLASSIC_REQUEST_SECONDS = 5.0  # in which a whole request must have come: all of them fit one packet
CLASSIC_ANSWER_SECONDS = 5.0  # in which old peers answer, and in which an answer to them must have been taken
CLASSIC_FILE_PATIENCE = 30.0  # seconds without a byte taken or sent, after which a file is given up
CLASSIC_LINGER_SECONDS = 1.0  # until the other side closes, too: what it still sends must not reset our answer
CLASSIC_DIALS = 16  # connections to old peers at once
CLASSIC_TASKS = 64  # searches and answers to old peers at work; more are acknowledged and dropped
CLASSIC_PEERS = 64  # old peers known: each costs two connections a round of upkeep, and one for each search
CLASSIC_PEERS_PER_HOST = 16  # of them at one host: a class room behind one address, never the whole table
CLASSIC_UPKEEP_INTERVAL = 30.0  # seconds between two looks at whether they live
CLASSIC_MISSES = 3  # looks without an answer after which one is forgotten
CLASSIC_REJOIN_SECONDS = 60.0  # before a peer that the owner named is tried again, once it was lost
CLASSIC_TTL = 4  # how far a search of 2007 travels, and the most that others may ask for
CLASSIC_KEY_CHARS = 256  # of a search key or a return id; nobody types more
CLASSIC_SEEN_QUERIES = 4096  # searches remembered, so that a loop ends at the first node that is new
CLASSIC_SEEN_SECONDS = 10.0  # longer than a flood of 4 hops takes; after that the same search is a new one
CLASSIC_QUERY_RATE = 20.0  # searches of others a second that are carried out, and how many at once
CLASSIC_QUERY_BURST = 100.0
CLASSIC_RELAY_RATE = 2.0  # the same for searches whose answers go to somebody else than who sent them: little enough
CLASSIC_RELAY_BURST = 20.0  # that nobody can use this node to have a third party flooded
CLASSIC_HITS = 10  # names told to one search; each costs a connection to who asked
CLASSIC_QUESTION_HITS = 200  # answers taken for one search of our own
CLASSIC_HITS_PER_HOST = 50  # of them from one host, so that one liar cannot take the place of all others
CLASSIC_SEARCH_SECONDS = 3.0  # that a search of ours waits for old peers
CLASSIC_FILES_AT_ONCE = 8  # files sent at once; the others wait with their connection
CLASSIC_CHUNK = 256 * KIB  # of a file, read and sent in one go: two for each file sent
CLASSIC_LIST_FOLLOWED = 32  # peers of one LIST that are dialled
CLASSIC_BUILD_DIALS = 64  # addresses dialled while the neighbourhood is built up
CLASSIC_BUILD_SECONDS = 20.0  # and how long that takes, as somebody waits for it: a list may be full of dead addresses
CLASSIC_HOPS = 2  # how far that goes by itself, as in 2007
CLASSIC_DOWNLOADS = 1000  # listed downloads from old peers, ended ones included
CLASSIC_DOWNLOADS_AT_ONCE = 4

# --- programs of 2007 (classic/btpeer.py) ---------------------------------------------------------------------------
MAX_BTPEER_REQUEST = 16 * MIB  # of a program with messages of its own; it is held in memory, as its interface wants
MAX_BTPEER_UNREAD = 64 * MIB  # of all requests that have not come whole
MAX_BTPEER_ANSWER = 128 * MIB  # all replies to one request: a program of 2007 gets them as one list in memory
BTPEER_HANDLERS = 128  # threads for handlers, which may block; as many as connections, started as they are needed
BTPEER_STABILIZERS = 64  # of one program, each of which takes a thread while it runs
BTPEER_PINGS_AT_ONCE = 8  # peers checked together: dead ones cost five seconds each
BTPEER_BACKLOG = 256  # connections that may wait to be accepted; the five of 2007 make a burst wait for seconds
MAX_BTPEER_PEERS = 10_000  # known peers of a program that set no maximum
BTPEER_SILENCE = 30.0  # seconds without a byte: a handler at the other end may have work to do
BTPEER_GRACE = 30.0  # seconds that any message may take
BTPEER_SLOWEST = 4 * KIB  # and bytes a second that earn it more: the slowest modem of 2007
BTPEER_GOODBYE = 2.0  # seconds in which handlers may end when the program shuts down

# Supernodes, the mended second generation (overlay/supernode/). A leaf hands its records to three of them.
SUPERNODE_CROWD = 24  # other peers known, below which nobody needs supernodes: asking all of them costs less
SUPERNODE_UPTIME = 600.0  # seconds a node has been up before it serves others: who stayed so long tends to stay
SUPERNODE_UPLOAD = 125_000  # bytes a second that a supernode must be able to send: 1 Mbit/s
SUPERNODE_CONNECTIONS = 128  # links that a supernode must be able to have open
SUPERNODE_UPLINKS = 3  # supernodes of one leaf: two may be lost at once, or lie, and nothing is missed
SUPERNODE_LEAVES = 200  # leaves of one supernode; FastTrack's had 100 to 150
SUPERNODE_LEAST_LEAVES = 30  # with fewer a supernode steps down where larger ones have room: ten a supernode, thrice
SUPERNODE_DEGREE = 32  # links among supernodes: 1,000 of them are two links away
SUPERNODE_SPARE = 8  # links above that, for newcomers
SUPERNODE_SHARE = 0.02  # chance that a node which finds no place steps up in the first round, doubled in each: 1 of 50
SUPERNODE_STEADY = 300.0  # seconds that a role lasts at the least
SUPERNODE_IDLE = 600.0  # seconds a supernode has had few leaves before it steps down
SUPERNODE_UPKEEP = 20.0  # seconds between two looks
SUPERNODE_RENEW = 300.0  # seconds after which a leaf asks whether its supernodes still have everything
SUPERNODE_KEPT = 60.0  # seconds for which records of a leaf that was lost are kept, unseen
SUPERNODE_QUIET = 1.0  # seconds in which changes of a shelf are collected before they are handed over
SUPERNODE_PATIENCE = 1.0  # seconds without enough results after which a leaf asks its next supernode as well
SUPERNODE_RETRY = 60.0  # seconds before a supernode that failed or had no room is asked again, doubled up to an hour
SUPERNODE_RETRY_MAX = 3600.0
SUPERNODE_AVOID = 3600.0  # seconds for which a supernode that lied is not used
SUPERNODES_KNOWN = 24  # supernodes that a leaf remembers
SUPERNODES_KNOWN_BACKBONE = 128  # and a supernode, who needs four times as many as it has links
SUPERNODES_TOLD = 8  # in one message
SUPERNODES_PER_SUBNET = 2  # of a /24 or /48, known, as uplinks and as links: addresses in one are cheap to have
SUPERNODE_NEWS_RATE = 0.2  # messages about supernodes a second that one link may bring, and how many at once
SUPERNODE_NEWS_BURST = 10.0
LEAF_RECORDS = 10_000  # of one leaf; who shares more is found by what of it is handed over, and by other overlays
LEAF_RECORDS_ALL = 300_000  # of all leaves of one supernode: about 300 MiB of memory
LEAF_WORDS = 50_000  # hashed words of one leaf that the keyword table is made of: 200 KiB
LEAVES_PER_SUBNET = 16  # leaves in one /24 or /48: a household or an office, not an address farm
LEAF_RECORDS_RATE = 200.0  # records a second that one leaf may hand over, and how many at once
LEAF_RECORDS_BURST = 10_000.0
LEAF_QUERIES_RATE = 2.0  # questions a second that one leaf may ask, and how many at once
LEAF_QUERIES_BURST = 30.0
LEAF_SEARCHES = 256  # searches for leaves at once
LEAF_KEYS = 1000  # withdrawals or locators in one message: 45 KiB
LEAF_VERIFIED = 16_384  # signatures of leaves' records that are remembered as checked


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one Peer holds at the most; the numbers fit a home computer and 256 MiB of memory."""

    connections: int = 256  # an open TLS link costs about 100 KiB
    talk_reserved: int = 32  # of them, that bulk links may not take: a node full of downloads still hears and searches
    connections_per_peer: int = 8  # one to talk, one for bulk in each direction, and a few that are just closing
    connections_per_address: int = 64  # a household or an office behind one address
    pending_handshakes: int = 64  # half-open links; the oldest gives way, so honest ones (milliseconds) pass
    tasks_per_link: int = 64  # coroutine handlers at work for one peer
    tasks: int = 2048  # and for all
    requests_per_link: int = 65_536  # outstanding questions of ours on one link: 4 MiB of futures
    write_buffer: int = 4 * MIB  # unsent bytes of one link; above it nothing more of ours is sent there
    known_peers: int = 2000  # the peer table on disk
    handshake_timeout: float = HANDSHAKE_TIMEOUT
    idle_timeout: float = 90.0  # three missed pings


DEFAULT = Limits()

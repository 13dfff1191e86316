"""The bounds of the distributed hash table, each with its reason; as limits.py, which has all others.

Invariant: nothing that another peer can cause here grows without one of these. `DhtRules` makes most of them a node's
own choice. Pure.
"""

from __future__ import annotations

from peerage.limits import KIB, MIB

DHT_BUCKET = 20  # contacts in a bucket and in an answer (Kademlia's k): of 20 some live for hours
DHT_PARALLEL = 6  # questions of one walk on their way at once
DHT_PATHS = 4  # disjoint ways of a walk: one that meets a liar leaves three
DHT_PATH_END = 3  # nearest peers that each way asks for itself, whatever the others found
DHT_DEADLINE = 10.0  # seconds for one walk
DHT_RPC_TIMEOUT = 1.5  # seconds for an answer as long as nothing was measured; then twice the 95th percentile
DHT_RPC_TIMEOUT_MIN = 0.5  # a busy peer needs that, however near
DHT_RPC_TIMEOUT_MAX = 4.0
DHT_WALK_QUESTIONS = 120  # peers that one walk asks at the most: four times what an honest network needs
DHT_WALK_KNOWN = 600  # peers that one walk remembers
DHT_WALK_SUBNET = 4  # of them from one /24 or /48
DHT_WALKS = 64  # walks of one node at once; the others wait
DHT_SUBNET_BUCKET = 2  # contacts from one /24 or /48 in one bucket: addresses are what an attacker has to pay for
DHT_SUBNET_TABLE = 3  # and in the whole table
DHT_SPARES = 5  # unproved peers remembered for each bucket, for when one of its contacts dies
DHT_PROBES = 8  # dials at once to see whether a peer can be reached before it is taken in
DHT_UPKEEP = 120.0  # seconds between two looks at what is due: even of peers that stay for an hour only, few go in it
DHT_CHECKS = 2  # contacts checked at each look
DHT_LINK_IDLE = 15.0  # seconds that a link for questions stays unused: longer ones cost more in pings than a new dial
DHT_HELD = 3  # nearest peers to which links are kept up
DHT_CONTACT_ADDRESSES = 2  # of one contact: both families; who is told more has to dial more
DHT_REGION = 24  # peers that a record is stored on as expected from the network's size
DHT_REGION_MIN = 20  # and however few are expected
DHT_REGION_MAX = 60  # and however many are found there: Sybils near a key cannot push all others out
DHT_NEAR = 8  # keys are taken when they are at most so many regions away: others have no business here
DHT_LIFE = 86_400.0  # seconds that a record lives without being renewed
DHT_RENEW = 43_200.0  # seconds between two renewals at the most
DHT_RENEW_MIN = 3600.0  # and at the least, where half of all peers go within hours
DHT_SKEW = 3600.0  # seconds that clocks may differ
DHT_RETRY = 300.0  # seconds before what could not be stored is tried again
DHT_BACKOFF = 86_400.0  # and before a word is posted again for which there is no room
DHT_STORED = 20_000  # records that one node keeps for others
DHT_STORED_BYTES = 16 * MIB  # and their bytes
DHT_STORED_PER_PUBLISHER = 1000  # records that one peer may leave here
DHT_STORED_PER_SUBNET = 4000  # and all peers of one /24 or /48
DHT_PER_KEY = 1000  # entries of one word or content
DHT_PER_KEY_PUBLISHER = 64  # of them by one peer: an album, a series
DHT_PER_KEY_SUBNET = 200  # and by one /24 or /48
DHT_VALUE_BYTES = 1000  # of a signed value (BEP 44)
DHT_SALT_BYTES = 64
DHT_POSTING_BYTES = 1536  # of a record in a posting: a name and a path at their longest
DHT_STORE_ITEMS = 64  # in one message
DHT_STORE_BYTES = 40 * KIB  # so that a message with its frame stays below MAX_CONTROL_PAYLOAD
DHT_ANSWER_ENTRIES = 64  # in one answer
DHT_ANSWER_BYTES = 40 * KIB
DHT_LOOK_RATE = 20.0  # questions a second of one link, and how many at once
DHT_LOOK_BURST = 200.0
DHT_STORE_RATE = 40.0  # items a second that one link may store, and how many at once
DHT_STORE_BURST = 1000.0
DHT_LISTINGS = 100_000  # records that one node has stored elsewhere
DHT_WORDS = 3  # words of one record that are posted: the rarest
DHT_SEARCH_WORDS = 2  # words of one query that are looked up
DHT_STAMP_BITS = 16  # a twentieth of a second for each record; a million false ones cost half a day
DHT_STAMP_RISE = 10  # bits that a stamp costs more at the most: a minute of work for each record of whoever floods
DHT_STAMP_STEP_BITS = 2  # and with each step
DHT_POSTINGS_UNCOUNTED = 32  # postings and providers here of a key or subnet until which its postings are not counted
DHT_POSTINGS_FREE = 180  # postings an hour of one key at the usual price: the three words of sixty contents
DHT_POSTINGS_SUBNET_FREE = 720  # and of one /24 or /48
DHT_POSTINGS_STEP = 30  # further ones, of ten contents, that make one step
DHT_POSTINGS_SECONDS = 3600.0  # for which postings count
DHT_POSTINGS_REMEMBERED = 10_000  # keys and subnets that are counted, 3 MiB: to be forgotten takes as many stamps

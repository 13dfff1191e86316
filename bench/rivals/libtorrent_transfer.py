"""libtorrent as a contestant of bench/transfer.py: one session seeds, another leeches, over loopback TCP.

No DHT, no local discovery, no port mapping, no uTP, no rate limit. Styles: `plain` is BitTorrent in clear; `encrypted` forces
its RC4 encryption (MSE) on both sides. The torrent is v1 (SHA-1), the cheapest to verify of those it can make, with
pieces of 1 MiB; the seed has checked the file before it is ready, so it hashes nothing while it is timed. Of its settings
its own preset for fast seeding was the quickest of those tried; more or fewer threads and other piece sizes gained nothing.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import libtorrent as lt
from _contest import hear, say, wait_for_end

PIECE = 1024 * 1024
SETTINGS = {
    "listen_interfaces": "127.0.0.1:0",
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_incoming_utp": False,
    "enable_outgoing_utp": False,
    "allow_multiple_connections_per_ip": True,
    "alert_mask": int(lt.alert.category_t.error_notification | lt.alert.category_t.status_notification),
}


def session(style: str) -> lt.session:
    # high_performance_seed is libtorrent's own preset: large send and disk queues on a machine that can spare them
    settings = dict(lt.high_performance_seed()) | SETTINGS
    policy = lt.enc_policy.pe_forced if style == "encrypted" else lt.enc_policy.pe_disabled
    settings |= {
        "in_enc_policy": int(policy),
        "out_enc_policy": int(policy),
        "allowed_enc_level": int(lt.enc_level.pe_rc4),
    }
    return lt.session(settings | {"prefer_rc4": style == "encrypted"})


def wait_until_seeding(running: lt.session, handle: lt.torrent_handle) -> None:
    while not handle.status().is_seeding:
        running.wait_for_alert(1000)  # the change of state is an alert, so this wakes at once
        for alert in running.pop_alerts():
            if isinstance(alert, (lt.torrent_error_alert, lt.file_error_alert)):
                sys.exit(alert.message())


def seed(style: str, source: Path, work: Path) -> None:
    made = lt.create_torrent(lt.list_files(str(source)), PIECE, flags=lt.create_torrent.v1_only)
    lt.set_piece_hashes(made, str(source.parent))
    torrent = work / f"seed-{style}-{time.monotonic_ns()}.torrent"
    torrent.write_bytes(lt.bencode(made.generate()))
    running = session(style)
    parameters = lt.add_torrent_params()
    parameters.ti, parameters.save_path = lt.torrent_info(str(torrent)), str(source.parent)
    wait_until_seeding(running, running.add_torrent(parameters))
    say(link=f"{torrent}|{running.listen_port()}")
    wait_for_end()
    torrent.unlink()


def leech(style: str) -> None:
    running = session(style)
    say(ready=True)
    while job := hear():
        folder = Path(job["target"]).parent
        places = [link.rpartition("|") for link in job["links"]]
        parameters = lt.add_torrent_params()
        parameters.ti, parameters.save_path = lt.torrent_info(places[0][0]), str(folder)
        parameters.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
        handle = running.add_torrent(parameters)
        started = time.perf_counter()
        for _, _, port in places:
            handle.connect_peer(("127.0.0.1", int(port)))
        peers = []
        while not handle.status().is_seeding:
            running.wait_for_alert(200)
            peers = handle.get_peer_info() or peers
            running.pop_alerts()
        seconds = time.perf_counter() - started
        (folder / parameters.ti.name()).rename(job["target"])
        ciphered = any(peer.flags & lt.peer_info.rc4_encrypted for peer in peers)
        say(seconds=seconds, note=f"RC4 {'on' if ciphered else 'off'}, SHA-1 pieces of {PIECE >> 20} MiB")


if __name__ == "__main__":
    role, chosen, *rest = sys.argv[1:]
    seed(chosen, *map(Path, rest)) if role == "seed" else leech(chosen)

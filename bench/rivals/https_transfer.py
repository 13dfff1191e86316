"""nginx and curl as contestants of bench/transfer.py: one file over HTTPS, TLS 1.3, nothing verified beyond TLS itself.

One nginx worker with sendfile, its own configuration in the work folder; curl checks the self-signed certificate and leaves
the choice of the cipher to both. The seconds are curl's own, from the start of the request to its end, without the start of the
process; further links are not used, as curl takes a file from one place.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _contest import hear, say, wait_for_end

SEARCH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
CONFIGURATION = """
daemon off; worker_processes 1; pid {home}/pid; error_log {home}/error.log; {user}
events {{ worker_connections 64; }}
http {{
  access_log off; sendfile on; tcp_nopush on; default_type application/octet-stream;
  client_body_temp_path {home}; proxy_temp_path {home}; fastcgi_temp_path {home}; uwsgi_temp_path {home}; scgi_temp_path {home};
  server {{
    listen 127.0.0.1:{port} ssl; root {root};
    ssl_certificate {home}/certificate.pem; ssl_certificate_key {home}/key.pem; ssl_protocols TLSv1.3;
  }}
}}
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def make_certificate(home: Path) -> None:
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    files = ["-keyout", home / "key.pem", "-out", home / "certificate.pem", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)


def seed(source: Path, work: Path) -> None:
    home, port = Path(tempfile.mkdtemp(prefix="nginx-", dir=work)), free_port()
    make_certificate(home)
    user = "" if os.geteuid() else "user root;"  # the worker of a root nginx could not read the file otherwise
    configuration = home / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(home=home, port=port, root=source.parent, user=user))
    nginx = shutil.which("nginx", path=SEARCH) or "nginx"
    server = subprocess.Popen([nginx, "-p", str(home), "-c", str(configuration), "-e", str(home / "error.log")])
    try:
        wait_until_listening(port)
        certificate, url = f"{home}/certificate.pem", f"https://127.0.0.1:{port}/{source.name}"
        say(link="|".join([certificate, negotiated(certificate, url), url]))
        wait_for_end()
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(5)
        shutil.rmtree(home)


def wait_until_listening(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    sys.exit("nginx does not listen")


def negotiated(certificate: str, url: str) -> str:
    """Find out the cipher with a request for the first byte, before anything is measured."""
    command = [
        "curl",
        "--silent",
        "--verbose",
        "--cacert",
        certificate,
        "--tlsv1.3",
        "--range",
        "0-0",
        "--output",
        "/dev/null",
        url,
    ]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    return next(line.rpartition("using ")[2] for line in told.splitlines() if "SSL connection using" in line)


def leech() -> None:
    say(ready=True)
    while job := hear():
        certificate, cipher, url = job["links"][0].split("|")
        command = ["curl", "--silent", "--show-error", "--fail", "--cacert", certificate, "--tlsv1.3"]
        command += ["--output", job["target"], "--write-out", "%{time_total}", url]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        say(seconds=float(done.stdout), note=cipher)


if __name__ == "__main__":
    seed(*map(Path, sys.argv[3:])) if sys.argv[1] == "seed" else leech()

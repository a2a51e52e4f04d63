"""A real nginx on a free port, with a certificate of its own, before a service."""

import getpass
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.running_service import free_port, wait_until

NAME = "pictures.example.org"


@contextmanager
def nginx(place: Path, http: str, *, to: int) -> Iterator[str]:
    """Address of an nginx with that content of its ``http`` block, its names and ports changed to those of here.

    What goes to port 8000 goes to the port ``to``.
    """
    import grp  # not on Windows

    place.mkdir(parents=True, exist_ok=True)
    port = free_port()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={NAME}",
         "-keyout", str(place / "key.pem"), "-out", str(place / "cert.pem")], check=True, capture_output=True,
    )  # fmt: skip
    changed = http.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl").replace(
        "127.0.0.1:8000", f"127.0.0.1:{to}"
    )
    changed = re.sub(r"(ssl_certificate\s+)\S+;", rf"\1{place}/cert.pem;", changed)
    changed = re.sub(r"(ssl_certificate_key\s+)\S+;", rf"\1{place}/key.pem;", changed)
    # Its workers write to our folder: a body of more than 16 kB waits there.
    owner = f"user {getpass.getuser()} {grp.getgrgid(os.getgid()).gr_name}; " if os.getuid() == 0 else ""
    around = f"{owner}pid {place}/pid; error_log {place}/error.log; daemon off; events {{}} http {{ access_log off; "
    paths = "".join(
        f"{kind}_temp_path {place}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (place / "nginx.conf").write_text(around + paths + changed + "}", encoding="utf-8")
    process = subprocess.Popen([str(shutil.which("nginx")), "-p", str(place), "-c", str(place / "nginx.conf")])
    try:
        wait_until(lambda: process.poll() is not None or _is_open(port))
        assert process.poll() is None, (place / "error.log").read_text()
        yield f"https://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def _is_open(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0

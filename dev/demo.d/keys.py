"""Prints the demo's two SSH Secrets as a manifest: the client's, with the pinned host key, and the server's."""

import base64
import json
import subprocess
import tempfile
from pathlib import Path

SERVER = "offsite-server"


def make_pair(folder: Path, comment: str) -> tuple[bytes, bytes]:
    """Return a new private key, without a passphrase, and its public half."""
    path = folder / comment
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)], check=True)
    return path.read_bytes(), path.with_name(path.name + ".pub").read_bytes()


def secret(name: str, data: dict[str, bytes]) -> dict[str, object]:
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": encoded}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        client, client_public = make_pair(Path(folder), "borg")
        host, host_public = make_pair(Path(folder), SERVER)
    secrets = [
        secret("borg-ssh", {"id_ed25519": client, "known_hosts": SERVER.encode() + b" " + host_public}),
        secret(f"{SERVER}-keys", {"ssh_host_ed25519_key": host, "authorized_keys": client_public}),
    ]
    print(json.dumps({"apiVersion": "v1", "kind": "List", "items": secrets}))


if __name__ == "__main__":
    main()

"""What the Dockerfile leaves out of the images is what nobody imports."""

import re
import subprocess
import sys

from support.cluster import REPOSITORY

IMPORT_ALL = """
import importlib, pkgutil, sys
import kopf
for name in ("borg_operator", "borg_api", "borg_cluster", "borg_core", "borg_contract"):
    for module in pkgutil.walk_packages(importlib.import_module(name).__path__, name + "."):
        importlib.import_module(module.name)
print("\\n".join(sys.modules))
"""


def test_of_the_generated_kubernetes_client_the_images_have_what_is_imported() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True, check=True)
    generated = re.findall(r"^kubernetes\.(?:aio\.)?client\.(?:api|models)\.(\w+)", done.stdout, re.MULTILINE)
    kept = re.findall(r"! -name '(v\w+)\*'", (REPOSITORY / "Dockerfile").read_text())
    assert sorted(generated) == sorted(kept)
    assert "kubernetes.aio.client.api_client" in done.stdout.split()

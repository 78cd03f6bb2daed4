"""The short form, which `make test` runs, and the whole, which `make test-faults` runs (BORG_FAULTS=all)."""

import os

import pytest

ALL = os.environ.get("BORG_FAULTS") == "all"
SEED = int(os.environ.get("BORG_FAULTS_SEED", "1"))

whole_form = pytest.mark.skipif(not ALL, reason="one of the whole form: make test-faults")

"""The seed by which faults are drawn. What takes minutes has the mark `long`, and runs with `make test-faults` only."""

import os

SEED = int(os.environ.get("BORG_FAULTS_SEED", "1"))

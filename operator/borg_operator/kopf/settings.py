"""What kopf does by default and this operator does not want."""

import kopf

from borg_core.registry import watched_kinds
from borg_operator.kopf.session import Backoffs
from borg_operator.kopf.storage import NoDiffBase, NoProgress

_PAGE = 500


def configure(settings: kopf.OperatorSettings, *, clusterwide: bool) -> None:
    """Change the settings: no traces in the cluster, bounded waits, listings in pages, natives by their label.

    Not `clusterwide`: it has rights in its namespaces alone, so kopf must not look for CRDs and namespaces that come.
    """
    settings.scanning.disabled = not clusterwide
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.persistence.progress_storage = NoProgress()
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = Backoffs()
    settings.watching.connect_timeout = 10
    settings.watching.server_timeout = 600
    settings.watching.chunk_size = _PAGE
    for kind in watched_kinds():
        if kind.selector:
            settings.watching.label_selectors[kind.group, kind.version, kind.plural] = kind.selector

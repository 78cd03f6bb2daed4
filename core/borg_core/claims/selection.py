"""Sources that choose claims by their labels, as what they are for a run: one source for each claim.

Pure, and the same in whatever order claims come. What cannot be taken is left out and told: one claim of many must not
stop the backup of all others.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from borg_core.kinds.parts.volumes import PersistentVolumeClaimSource, Source, VolumeSource
from borg_core.names import derive_folder_name
from borg_core.native.claim import ObservedClaim


@dataclass(frozen=True)
class LeftOut:
    """A claim that matches and is not taken. `passes`: that is as it should be, or mends itself."""

    claim: str
    why: str
    passes: bool = False

    def __str__(self) -> str:
        return f'"{self.claim}" {self.why}'


@dataclass(frozen=True)
class Selection:
    """What becomes of the sources of one repository."""

    sources: tuple[Source, ...] = ()
    """Each has a volume: first those that name one, as they are given, then the claims, by name."""
    left_out: tuple[LeftOut, ...] = ()
    unmatched: tuple[str, ...] = ()
    """Selectors that find no claim to back up, each as its name and what it asks for."""
    chosen: tuple[str, ...] = ()
    """The claims that were chosen by their labels, by name."""


def selects(sources: Iterable[Source]) -> bool:
    """Tell whether any of them chooses claims by labels."""
    return any(source.claim_selector is not None for source in sources)


def find_named(sources: Iterable[Source]) -> dict[str, Source]:
    """Return the sources that choose nothing by labels, by their names: a dump's is taken as a volume's is."""
    return {source.name: source for source in sources if source.claim_selector is None}


def select_sources(
    wanted: Sequence[Source],
    claims: Iterable[ObservedClaim],
    *,
    named: Mapping[str, Source],
    written: Collection[str],
) -> Selection:
    """Return what is backed up.

    `claims`: all of the namespace. `named`: all sources of the run that choose nothing by labels, by their names.
    `written`: claims that the run writes to, which are no sources.
    """
    plain = tuple(source for source in wanted if source.claim_selector is None)
    own = {source.claim_name for source in plain}
    ordered = sorted(claims, key=lambda claim: claim.name)
    chosen: dict[str, Source] = {}
    left_out: dict[str, LeftOut] = {}
    matched: dict[str, set[str]] = {}
    for source in wanted:
        if source.claim_selector is None:
            continue
        found = matched.setdefault(f'"{source.name}" ({source.claim_selector.describe() or "any claim"})', set())
        for claim in ordered:
            if claim.ignored or claim.name in written or not source.claim_selector.matches(claim.labels):
                continue
            found.add(claim.name)
            if claim.name not in own and claim.name not in chosen:
                if why := _find_hindrance(claim, source, named):
                    left_out[claim.name] = why
                else:
                    chosen[claim.name] = _render(claim, source, named)
    return Selection(
        (*plain, *(chosen[name] for name in sorted(chosen))),
        tuple(left_out[name] for name in sorted(left_out.keys() - chosen.keys())),
        tuple(name for name, found in matched.items() if not found & (own | chosen.keys())),
        tuple(sorted(chosen)),
    )


def _find_hindrance(claim: ObservedClaim, source: Source, named: Mapping[str, Source]) -> LeftOut | None:
    """Return why the claim cannot be a source, None where it can."""
    name = derive_folder_name(claim.name)
    if claim.deleting:
        return LeftOut(claim.name, "is being deleted", passes=True)
    if claim.phase not in ("Bound", "Lost"):
        # A pod of ours would be the first that uses it, and decide where its volume is made; or wait for it for ever.
        return LeftOut(claim.name, "is not bound to a volume yet", passes=True)
    lasting = {
        claim.defect: bool(claim.defect),
        "has no volume that a CSI driver made, so there can be no copy of it": source.is_copied and not claim.driver,
        f'would be source "{name}", and another source is called so: rename that': (
            name in named and named[name].claim_name != claim.name
        ),
    }
    return next((LeftOut(claim.name, why) for why, holds in lasting.items() if holds), None)


def _render(claim: ObservedClaim, source: Source, named: Mapping[str, Source]) -> Source:
    name = derive_folder_name(claim.name)
    # For another repository of the run the claim may be named: it is mounted once.
    volume = named[name].volume if name in named else None
    volume = volume or VolumeSource(persistent_volume_claim=PersistentVolumeClaimSource(claim_name=claim.name))
    return source.model_copy(update={"name": name, "volume": volume, "claim_selector": None})

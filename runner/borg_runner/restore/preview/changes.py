"""What a restore changes in its target, and the list of it that lies there meanwhile, and in the undo archive. Pure."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from borg_runner.restore.archive.scope import OWN_FILES, Selection

_LIST = ".list"


@dataclass
class Changes:
    """By paths. What is in none of these is not there and not in the archive, or left alone as it is."""

    create: set[str] = field(default_factory=set)
    overwrite: set[str] = field(default_factory=set)
    delete: set[str] = field(default_factory=set)
    same: set[str] = field(default_factory=set)
    keep: set[str] = field(default_factory=set)
    clear: set[str] = field(default_factory=set)
    """Of `overwrite`, what is of another kind than what comes: it is removed before, as what it holds is."""
    untold: set[str] = field(default_factory=set)
    """Folders that are made as they lead to what is restored, and of which the archive tells nothing."""
    unfinished: set[str] = field(default_factory=set)
    """Of these, what an earlier attempt made, and may not have given its owner and mode."""
    stuck: set[str] = field(default_factory=set)
    """Of `keep`, what cannot be restored as what is there must stay."""
    begun: dict[str, str] = field(default_factory=dict)
    """What earlier attempts did, or began to do: by path the sign when the restore began, `=`: none."""

    @property
    def resumed(self) -> set[str]:
        """Of `same`, what earlier attempts brought back."""
        return self.same & self.begun.keys()

    @property
    def of_all_attempts(self) -> "Changes":
        """What the restore changes in all, as it would if no attempt had been before this one."""
        met = self.begun.keys()
        signs = self.begun.items()
        made, replaced, gone, same = ({path for path, sign in signs if sign == each} for each in "+~-=")
        create, overwrite = made | self.create - met, replaced | self.overwrite - met
        return replace(self, create=create, overwrite=overwrite, delete=gone | self.delete, same=self.same - met | same)

    @property
    def written(self) -> set[str]:
        return self.create | self.overwrite

    @property
    def is_nothing(self) -> bool:
        return not (self.create or self.overwrite or self.delete)

    def lines(self) -> Iterator[str]:
        """Yield each change with its sign, in a fixed order: deletions, replacements, creations."""
        made = self.create | (self.untold - self.delete)  # of what is in their place, its loss is told
        for sign, paths in (("-", self.delete), ("~", self.overwrite), ("+", made)):
            for path in sorted(paths):
                yield f"{sign} {path}"

    def digest(self, *facts: str) -> str:
        """Return what tells these changes, with the `facts`, from all others: 64 hexadecimal digits."""
        made = hashlib.sha256("\0".join(facts).encode("utf-8", "surrogateescape"))
        for line in self.lines():
            made.update(b"\0" + line.encode("utf-8", "surrogateescape"))
        return made.hexdigest()


def count_bytes(selection: Selection, paths: set[str], *, least: bool = False, block: int = 1) -> int:
    """Return the bytes of the content of these, each in whole blocks, hard links to one file counted once."""
    total, counted = 0, set()
    for path in paths:
        entry = selection.entries.get(path)
        if entry is None:
            continue
        if master := selection.group_of(entry):
            if master in counted:
                continue
            counted.add(master)
            entry = selection.masters.get(master, entry)
        total += -(-(entry.least if least else entry.size) // block) * block
    return total


def list_name(restore: str) -> str:
    """Return the name of the list of what was to be changed; an undo archive holds it too."""
    return f"{OWN_FILES}{restore}{_LIST}"


def parse_list(data: bytes) -> dict[str, str]:
    """Return the sign of each change by its path."""
    lines = (line.decode("utf-8", "surrogateescape") for line in data.split(b"\0") if line)
    return {line[2:]: line[:1] for line in lines}

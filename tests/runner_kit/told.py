"""What a run says that it waits for, remembered also after it was taken back."""

from dataclasses import dataclass

from borg_runner.notice import Notice


@dataclass(frozen=True)
class Told(Notice):
    """A notice that remembers what it said."""

    told: list[str]

    def post(self, words: str) -> None:
        self.told.append(words)
        super().post(words)

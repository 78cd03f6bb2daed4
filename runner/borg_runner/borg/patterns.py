"""What borg's exclude patterns leave out, by the rules of `borg help patterns`.

Borg names each path that it leaves out (`--list --filter=x`), but not the pattern that did it. So the few patterns that
have matched nothing yet are tried here on each such path. And before borg begins, a source is looked at for files that
no pattern leaves out.
"""

import contextlib
import fnmatch
import re
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from posixpath import normpath

PATIENCE_SECONDS = 0.5
"""For a look at one path. An expression can take years, in which a run would hear no signal and leave no result."""

PATIENCE_IN_ALL_SECONDS = 10.0
"""For a look at all paths that a run leaves out, of which there may be millions: borg waits meanwhile."""

_STYLES = ("fm", "sh", "re", "pp", "pf")
_SHELL_TOKEN = re.compile(
    r"(?P<folders>\*\*/)|(?P<name>\*)|(?P<one>\?)|\[(?P<set>!?\]?[^\]]*)\]|(?P<text>.)", re.DOTALL
)


class UnusedPatterns:
    """Those of `patterns` that have left nothing out so far."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._left = {pattern: compile_pattern(pattern) for pattern in patterns}
        self._patience = PATIENCE_IN_ALL_SECONDS

    def see(self, path: str) -> None:
        """Take note of a path that borg left out."""
        if not self._left:
            return
        path, tried = path.lstrip("/"), ""
        used, began = [], time.monotonic()
        try:
            with _at_most(PATIENCE_SECONDS):
                for tried, matches in self._left.items():
                    if matches(path):
                        used.append(tried)
        except TimeoutError:
            used.append(tried)  # nobody knows, and nothing is said of it
        for pattern in used:
            del self._left[pattern]
        self._patience -= time.monotonic() - began
        if self._patience < 0:
            self._left.clear()  # the same

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._left)


def _give_up(_number: int, _frame: object) -> None:
    raise TimeoutError


@contextlib.contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raise TimeoutError when it takes longer: `re` looks for signals while it works. For the main thread alone."""
    before = signal.signal(signal.SIGALRM, _give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def compile_patterns(patterns: Sequence[str], *, strict: bool = False) -> Callable[[str], bool]:
    """Return what tells whether a path is left out by any of the patterns; of a folder, all that is in it goes too.

    Once it took too long to tell, it says of each path that it is not, or raises TimeoutError if `strict`. For the main
    thread alone.
    """
    tests = tuple(map(compile_pattern, patterns))
    patience = PATIENCE_SECONDS

    def leaves_out(path: str) -> bool:
        nonlocal patience
        inner = path.lstrip("/")
        try:
            with _at_most(patience):
                return any(matches(inner) for matches in tests) if patience else False
        except TimeoutError:
            if strict:
                raise
            patience = 0.0
            return False

    return leaves_out


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """Return what tells whether a path without its leading slash matches, as `borg create --exclude` sees it.

    A pattern that borg would not take matches everything here: borg has its own words for that.
    """
    style, text = ("fm", pattern) if pattern[2:3] != ":" or pattern[:2] not in _STYLES else (pattern[:2], pattern[3:])
    try:
        return _compile(style, text)
    except re.error:
        return lambda _: True


def _compile(style: str, text: str) -> Callable[[str], bool]:
    whole = normpath(text)
    if style == "pf":
        return whole.lstrip("/").__eq__
    if style == "pp":
        beginning = f"{whole.rstrip('/')}/".lstrip("/")
        return lambda path: f"{path}/".startswith(beginning)
    if style == "re":
        search = re.compile(text).search
        return lambda path: search(path) is not None
    # A slash at the end means what is in the folder, and not the folder itself.
    inner, last = (whole.rstrip("/"), "/") if text.endswith("/") else (whole, "")
    if style == "sh":
        match = re.compile(_translate_shell(f"{inner}/**/*{last}".lstrip("/"))).fullmatch
    else:
        match = re.compile(fnmatch.translate(f"{inner}/*{last}".lstrip("/"))).match
    return lambda path: match(f"{path}/") is not None


def _translate_shell(pattern: str) -> str:
    return "(?ms)" + "".join(map(_translate_token, _SHELL_TOKEN.finditer(pattern)))


def _translate_token(token: re.Match[str]) -> str:
    match token.lastgroup:
        case "folders":
            return "(?:[^/]*/)*"
        case "name":
            return "[^/]*"
        case "one":
            return "[^/]"
        case "set":
            inner = token["set"].replace("\\", "\\\\")
            negated = "^" + inner[1:] if inner.startswith("!") else inner
            return f"[{negated if not inner.startswith('^') else chr(92) + inner}]"
        case _:
            return re.escape(token[0])

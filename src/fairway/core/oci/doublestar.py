"""Path patterns as Harbor's rules use them, turned into regular expressions that RE2 matches in linear time.

    *       any run of characters within one component of a path
    **      standing alone as a component: any number of components; elsewhere the same as `*`
    ?       one character within a component
    [a-c]   one of these characters; `[^a-c]` one that is none of them
    {a,b}   one of these patterns; they nest, and may be empty
    \\c      the character c itself

`a/**` is what lies below `a` and not `a` itself; `**/a` is `a` at any depth, none included.  A `**` at the very
start of an alternative in braces is the same as `*`.
"""

from dataclasses import dataclass

from fairway.core.oci.errors import PatternInvalid

_ANY_RUN = "[^/]*"
_ANY_ONE = "[^/]"
_BELOW = "(?s:.*)"  # the last component: whatever is left
_DEEPER = "(?:[^/]*/)*"  # before another component: none or more of them, each with its slash
_ANY_DEPTH = "(?:/[^/]*)*"  # the same, each with the slash before it
_NOTHING = r"[^\x{0}-\x{10FFFF}]"
_SLASH = ord("/")
_SPECIAL = frozenset(r"\.+*?()|[]{}^$")


def to_regex(pattern: str) -> str:
    """The RE2 expression that fully matches what `pattern` does.  Raises PatternInvalid."""
    return _Translation(pattern).whole()


@dataclass(slots=True)
class _Translation:
    """One walk over a pattern, each character looked at once; `at` is where it stands."""

    pattern: str
    at: int = 0

    def whole(self) -> str:
        ends = _ends_of_braces(self.pattern)
        made: list[str] = []
        alone = True  # nothing of the present component is behind us
        depth = 0
        while self.at < len(self.pattern):
            char = self.pattern[self.at]
            if char == "*":
                self._stars(made, alone, ends)
                alone = self.pattern[self.at - 1] == "/"
                continue
            self.at += 1
            match char:
                case "?":
                    made.append(_ANY_ONE)
                case "[":
                    made.append(self._class())
                case "{":
                    depth += 1
                    made.append("(?:")
                case "}" if depth:
                    depth -= 1
                    made.append(")")
                case "," if depth:
                    made.append("|")
                case "\\":
                    made.append(_literal(self._escaped()))
                case _:
                    made.append(_literal(char))
            alone = char == "/"
        return "".join(made)

    def _stars(self, made: list[str], alone: bool, ends: dict[int, int]) -> None:
        """Adds what the run of stars here means, and goes past it; past its slash too, if the run takes that in."""
        start = self.at
        while self.at < len(self.pattern) and self.pattern[self.at] == "*":
            self.at += 1
        follower = self._follower(ends)
        if not (alone and self.at - start == 2) or self.pattern[follower : follower + 1] not in {"", "/"}:
            made.append(_ANY_RUN)
        elif follower == len(self.pattern):
            made.append(_BELOW)
        elif follower == self.at:
            self.at += 1
            made.append(_DEEPER)
        else:
            # The slash that follows stands behind a brace, for all its alternatives: take in the one before instead.
            while made[-1] == _DEEPER:
                made.pop()
            made[-1] = _ANY_DEPTH

    def _follower(self, ends: dict[int, int]) -> int:
        """Where the pattern goes on after what stands here, out of every alternative that ends here."""
        at = self.at
        while at in ends:
            at = ends[at]
        return at

    def _class(self) -> str:
        """A class of characters, from behind its bracket to behind its end.  It never takes a slash."""
        negated = self.pattern.startswith("^", self.at)
        self.at += negated
        ranges: list[tuple[int, int]] = []
        while self._peek("class", "]") != "]":
            low = high = self._member()
            if self._peek("class", "]") == "-":
                self.at += 1
                high = self._member()
            if high < low:
                raise PatternInvalid(
                    f"In a pattern, the range {low}-{high} runs backwards; write {high}-{low}"
                )
            ranges.append((ord(low), ord(high)))
        self.at += 1
        if not ranges:
            raise PatternInvalid(
                "In a pattern, [] holds no character; name some, or write \\[ for the bracket itself"
            )
        if negated:
            return "[^" + "".join(_range(low, high) for low, high in [*ranges, (_SLASH, _SLASH)]) + "]"
        kept = [part for low, high in ranges for part in _without_slash(low, high)]
        return "[" + "".join(_range(low, high) for low, high in kept) + "]" if kept else _NOTHING

    def _member(self) -> str:
        char = self._peek("class", "]")
        if char in "-]":
            raise PatternInvalid(
                f"In a pattern, {char!r} cannot stand there in a class; put a backslash before the character itself"
            )
        self.at += 1
        return self._escaped() if char == "\\" else char

    def _escaped(self) -> str:
        if self.at == len(self.pattern):
            raise PatternInvalid("The pattern ends in a backslash; write \\\\ for the character itself")
        self.at += 1
        return self.pattern[self.at - 1]

    def _peek(self, what: str, end: str) -> str:
        if self.at == len(self.pattern):
            raise PatternInvalid(f"The pattern ends within a {what}; close it with {end!r}")
        return self.pattern[self.at]


def _ends_of_braces(pattern: str) -> dict[int, int]:
    """For each place where an alternative ends, the place behind its brace.  Raises PatternInvalid."""
    ends: dict[int, int] = {}
    open_ones: list[list[int]] = []
    at, in_class = 0, False
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            at += 1
        elif in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
        elif char == "{":
            open_ones.append([])
        elif char == "," and open_ones:
            open_ones[-1].append(at)
        elif char == "}" and open_ones:
            ends |= dict.fromkeys([*open_ones.pop(), at], at + 1)
        at += 1
    if open_ones:
        raise PatternInvalid(
            "A '{' in the pattern is never closed; add '}', or write \\{ for the brace itself"
        )
    return ends


def _without_slash(low: int, high: int) -> list[tuple[int, int]]:
    if not low <= _SLASH <= high:
        return [(low, high)]
    return [part for part in ((low, _SLASH - 1), (_SLASH + 1, high)) if part[0] <= part[1]]


def _range(low: int, high: int) -> str:
    return f"\\x{{{low:X}}}-\\x{{{high:X}}}"


def _literal(char: str) -> str:
    return "\\" + char if char in _SPECIAL else char

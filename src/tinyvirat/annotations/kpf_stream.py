"""Records of a KPF file, one after the other, in constant memory.

KPF (Kitware's packet format) is YAML: a list with one mapping a record. It is found as a block list
(`- { geom: ... }`, as a rule a record a line), as one flow list wrapped over lines anywhere
(`[{geom: ...}, {geom:` ...), and as bare mappings one after the other. Geometry files have a record
for every box and reach hundreds of megabytes, which no YAML library reads in passable time; so the
file is cut into records here, without YAML, and of the geometry records all but the first are read
by a regular expression made for the key order of one that YAML has read. Everything else goes,
record by record, through libyaml's scanner as a plain tree of text: no anchors, no aliases, no
objects, a bounded depth and a bounded length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO, TypeAlias

import yaml

from tinyvirat.annotations.problems import AnnotationError, ProblemLog, shortened

Tree: TypeAlias = "str | list[Tree] | dict[str, Tree]"
Geometry: TypeAlias = tuple[int, int, float, float, float, float]
"""Track id, frame, x1, y1, x2, y2."""

PIECE = 1 << 20
"""Characters read at a time."""
MAX_RECORD = 1 << 20
"""No record has more characters: an activity of 15,000 actors."""
MAX_DEPTH = 12
"""No record is nested deeper; an activity's actors' spans are at 7."""
LOOK_AHEAD = 8
"""Characters that tell a record from a document mark."""
MAX_SHAPES = 4
"""So many key orders of geometry are remembered; records of further ones stay with YAML."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN_TAGS = ("set", "map", "seq", "str", "int", "float", "bool", "null")
_TAGS = frozenset({None, "!", *(f"tag:yaml.org,2002:{kind}" for kind in _PLAIN_TAGS)})

_INTEGER = r"[0-9]{1,19}"
_NUMBER = r"[-+]?[0-9]{1,12}(?:\.[0-9]{0,20})?(?:[eE][-+]?[0-9]{1,3})?"
# A value that is not used, as long as it is plain in the eyes of YAML too.
_OTHER = r"(?:'[\w \n.,:+/-]{0,64}+'|\"[\w \n.,:+/-]{0,64}+\"|[\w \n.+/-]{0,64}+)"

_BLANK = re.compile(r"(?:[\s,]+|\#[^\n]*|(?:---|\.\.\.)(?=\s|\Z)|%[^\n]*)*")
_ENTRY = r"\{\s*+['\"]?(?:geom|act|types|regions|meta)['\"]?\s*+:"
_TOKEN = re.compile(
    rf"(?P<entry>{_ENTRY})|[][{{}}]"
    r"|(?<=[\s,:\[{])(?:'[^']*(?:''[^']*)*'|\"[^\"\\]*(?:\\.[^\"\\]*)*\"|(?P<open>['\"])|\#[^\n]*)",
    re.DOTALL,
)
_RESTART = re.compile(_ENTRY)


class RecordError(ValueError):
    """A record that is not KPF; the message says why, `line` counts from its first line."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


def load_tree(text: str) -> Tree:
    """One YAML document as mappings, lists and text; scalars stay as they are written.

    Raises:
        RecordError: not YAML, or more of it than a record may use: an anchor, an alias, a tag
            other than those of plain data, a key that is no text or comes twice, too deep.
    """
    root: list[Tree] = []
    # Each open collection with the key that waits for its value (mappings only).
    open_nodes: list[tuple[Tree, list[str]]] = [(root, [])]
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.AliasEvent):
                raise RecordError("aliases are not part of KPF", _line_of(event))
            if isinstance(event, yaml.NodeEvent):
                _take_node(event, open_nodes)
            elif isinstance(event, yaml.CollectionEndEvent):
                open_nodes.pop()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # What is missing at the end is marked in the line after it.
        line = min(mark.line, text.count("\n")) if mark else 0
        raise RecordError(f"not YAML: {error.problem}", line) from None
    except yaml.YAMLError as error:
        raise RecordError(f"not YAML: {str(error).splitlines()[0]}") from None
    if len(root) != 1:
        raise RecordError(f"{len(root)} documents where there should be one")
    return root[0]


def _line_of(event: yaml.Event) -> int:
    return event.start_mark.line if event.start_mark else 0


def _take_node(event: yaml.NodeEvent, open_nodes: list[tuple[Tree, list[str]]]) -> None:
    """Puts the node of one event into the collection that is open."""
    line = _line_of(event)
    if event.anchor is not None:
        raise RecordError("anchors are not part of KPF", line)
    tag = getattr(event, "tag", None)
    if tag not in _TAGS:
        raise RecordError(f"the tag {shortened(str(tag))} is not part of KPF", line)
    node: Tree
    if isinstance(event, yaml.ScalarEvent):
        node = event.value
    elif isinstance(event, yaml.SequenceStartEvent):
        node = []
    else:
        node = {}
    parent, waiting = open_nodes[-1]
    if isinstance(parent, list):
        parent.append(node)
    elif isinstance(parent, dict) and waiting:
        parent[waiting.pop()] = node
    elif isinstance(parent, dict):
        if not isinstance(node, str):
            raise RecordError("a key that is no plain text", line)
        if node in parent:
            raise RecordError(f"the key {shortened(node)} comes twice", line)
        waiting.append(node)
    if not isinstance(node, str):
        if len(open_nodes) > MAX_DEPTH:
            raise RecordError(f"nested deeper than {MAX_DEPTH} levels", line)
        open_nodes.append((node, []))


def geometry_of(tree: Tree) -> Geometry:
    """The box in the body of a `geom` record.

    Raises:
        RecordError: no mapping, a key is missing, or a value is not what it should be.
    """
    if not isinstance(tree, dict):
        raise RecordError("the geometry is no mapping")
    track_id, frame = (whole_number(tree, key) for key in ("id1", "ts0"))
    text = tree.get("g0")
    if isinstance(text, list):
        corners = [str(value) for value in text]
    elif isinstance(text, str):
        corners = text.split()
    else:
        raise RecordError("the geometry has no g0")
    if len(corners) != 4:
        raise RecordError(f"g0 has {len(corners)} numbers where there should be 4 (x1 y1 x2 y2)")
    if not all(re.fullmatch(_NUMBER, corner) for corner in corners):
        raise RecordError(f"g0 is {shortened(' '.join(corners))}, not four numbers")
    x1, y1, x2, y2 = map(float, corners)
    return track_id, frame, x1, y1, x2, y2


def whole_number(tree: dict[str, Tree], key: str) -> int:
    """The value of `key` as a whole number from 0.

    Raises:
        RecordError: the key is missing or the value is something else.
    """
    value = tree.get(key)
    if value is None:
        raise RecordError(f"there is no {key}")
    if not isinstance(value, str) or not re.fullmatch(rf"\+?({_INTEGER})(\.0*)?", value):
        raise RecordError(f"{key} is {shortened(str(value))}, not a whole number from 0")
    return int(value.partition(".")[0])


def geometry_pattern(keys: tuple[str, ...], separator: str = "") -> re.Pattern[str]:
    """The expression for one geometry record with these keys in this order.

    Anything unusual in a record (a comment, a tag, a nested value) makes it not match, which leaves
    that record to YAML.

    Args:
        keys: the keys of the geometry, `id1`, `ts0` and `g0` among them.
        separator: the expression of what stands before a record.

    Returns:
        The expression; its groups are named `id1`, `ts0`, `x1`, `y1`, `x2`, `y2`.
    """
    # Everything that may be space takes all of it at once (`+`): a record of a million spaces must
    # not be tried with every share of them.
    corners = r"\s++".join(rf"(?P<{name}>{_NUMBER})" for name in ("x1", "y1", "x2", "y2"))
    values = {
        "id1": rf"(?P<id1>{_INTEGER})",
        "ts0": rf"(?P<ts0>{_INTEGER})",
        "g0": rf"(?P<quote>['\"]?)\s*+{corners}\s*+(?P=quote)",
    }
    pairs = r"\s*+,\s*+".join(_key(key) + values.get(key, _OTHER) for key in keys)
    return re.compile(rf"{separator}\{{\s*+{_key('geom')}\{{\s*+{pairs}\s*+\}}\s*+\}}")


def _key(name: str) -> str:
    """The expression for a key with its colon, which only a quoted key may stand close to."""
    text = re.escape(name)
    return rf"(?:'{text}'\s*+:\s*+|\"{text}\"\s*+:\s*+|{text}[ \t]*+:\s++)"


class KpfStream:
    """The records of one file, in order; what cannot be cut or read goes to the log.

    Iterating gives a `Geometry` for each `geom` record and the `Tree` of every other. While a
    record is being looked at, `line` is the line it begins in.

    Args:
        path: the file, UTF-8.
        log: where malformed records are reported.

    Raises:
        AnnotationError: on iterating, when the file cannot be read or is no KPF at all, or a
            record is malformed and `log` is not lenient.
    """

    def __init__(self, path: Path, log: ProblemLog) -> None:
        self._path = path
        self._log = log
        self._file: TextIO | None = None
        self._text = ""  # what is read and not yet done with
        self._at = 0  # how far in it
        self._start = 0  # where the record at hand begins, or the blank before it
        self._counted = (0, 1)  # a position in the text and its line
        self._ended = False  # nothing more to read
        self._list_open = False  # in a flow list whose bracket is not yet closed
        self._next_item: re.Pattern[str] | None = None  # what begins an item of a block list
        self._separator = r"[\s,]*+"
        self._shapes: dict[tuple[str, ...], re.Pattern[str]] = {}

    @property
    def line(self) -> int:
        """The line, from 1, in which the record at hand begins."""
        return self._line_at(self._blank_end(self._start))

    def __iter__(self) -> Iterator[Geometry | Tree]:
        try:
            with self._path.open(encoding="utf-8-sig", errors="replace") as self._file:
                if self._open_list():
                    yield from self._records()
        except OSError as error:
            reason = error.strerror or error
            raise AnnotationError(f"{self._path}: cannot be read: {reason}") from error

    def _open_list(self) -> bool:
        """Finds out which kind of list this is; `False` when there is nothing at all."""
        while not self._skip_blank():
            if self._ended:
                return False
            if len(self._text) > MAX_RECORD:
                raise AnnotationError(f"{self._path}: begins with {MAX_RECORD} characters of blank")
            self._fill()
        first = self._text[self._at]
        if first == "[":
            self._list_open = True
            self._at += 1
        elif re.match(r"-\s", self._text[self._at : self._at + 2]):
            line_start = self._text.rfind("\n", 0, self._at) + 1
            indent = re.escape(self._text[line_start : self._at])
            self._next_item = re.compile(rf"\n(?={indent}-\s|---|\.\.\.)")
            self._separator = r"\s*+-[ \t]++"
        elif first != "{":
            raise AnnotationError(
                f"{self._path}, line {self._line_at(self._at)}: KPF begins with '- {{', '[{{' or "
                f"'{{', this file with {shortened(self._text[self._at : self._at + 100], 20)}"
            )
        return True

    def _records(self) -> Iterator[Geometry | Tree]:
        while True:
            yield from self._geometry_run()
            try:
                end = self._end_of_next()
            except RecordError as error:
                self._start = self._at
                self._report(error)
                self._resume()
                continue
            if end is None:
                break
            self._start, self._at = self._at, end
            try:
                record = self._read(self._text[self._start : end].rstrip())
            except RecordError as error:
                self._report(error)
            else:
                yield record
        if self._list_open:
            self._log.add(self._path, None, "the list is not closed; the file may be cut short")

    def _geometry_run(self) -> Iterator[Geometry]:
        """The geometry records from here on that have a shape met before."""
        text = self._text
        shapes = tuple(self._shapes.values())
        while True:
            for shape in shapes:
                found = shape.match(text, self._at)
                if found is not None:
                    break
            else:
                return
            self._start, self._at = self._at, found.end()
            track_id, frame, x1, y1, x2, y2 = found.group("id1", "ts0", "x1", "y1", "x2", "y2")
            yield int(track_id), int(frame), float(x1), float(y1), float(x2), float(y2)

    def _read(self, text: str) -> Geometry | Tree:
        """One record by YAML; the shape of a geometry is remembered."""
        if "\ufffd" in text:
            raise RecordError("bytes that are not UTF-8")
        tree = load_tree(text)
        if self._next_item is not None and isinstance(tree, list) and len(tree) == 1:
            tree = tree[0]
        if not isinstance(tree, dict) or tree.keys() != {"geom"}:
            return tree
        geometry = geometry_of(tree["geom"])
        if isinstance(tree["geom"], dict):
            self._remember(tuple(tree["geom"]))
        return geometry

    def _remember(self, keys: tuple[str, ...]) -> None:
        """Makes an expression for geometry records with these keys, unless they are odd."""
        plain = all(re.fullmatch(r"\w{1,32}", key, re.ASCII) for key in keys) and len(keys) <= 16
        if plain and keys not in self._shapes and len(self._shapes) < MAX_SHAPES:
            self._shapes[keys] = geometry_pattern(keys, self._separator)

    def _end_of_next(self) -> int | None:
        """Goes to the next record and says where it ends; `None` when there is none."""
        while True:
            if self._skip_blank():
                if self._list_open and self._text[self._at] == "]":
                    self._list_open = False
                    self._at += 1
                    continue
                end = self._end_of_item() if self._next_item else self._end_of_mapping()
                if end is not None:
                    return end
            elif self._ended:
                return None
            if self._ended:
                self._list_open = False
                raise RecordError("the file ends inside this record; it may be cut short")
            self._fill()

    def _end_of_item(self) -> int | None:
        """The end of the item of a block list that begins here; `None` when it is not yet read."""
        assert self._next_item is not None
        if not re.match(r"-(?:\s|\Z)", self._text[self._at : self._at + 2]):
            raise RecordError(
                f"no item of a list: {shortened(self._text[self._at : self._at + 100])}"
            )
        following = self._next_item.search(self._text, self._at)
        if following is not None:
            return following.start() + 1
        return len(self._text) if self._ended else None

    def _end_of_mapping(self) -> int | None:
        """The end of the flow mapping that begins here; `None` when it is not yet read."""
        if self._text[self._at] != "{":
            raise RecordError(f"no record: {shortened(self._text[self._at : self._at + 100])}")
        opened = ""
        for token in _TOKEN.finditer(self._text, self._at):
            if token["open"]:
                return None
            mark = token.group()[0]
            if token["entry"] and opened:
                raise RecordError("the record is not closed where the next begins")
            if mark in "{[":
                opened += mark
                if len(opened) > MAX_DEPTH:
                    raise RecordError(f"nested deeper than {MAX_DEPTH} levels")
            elif mark in "]}":
                if opened[-1] != ("[" if mark == "]" else "{"):
                    raise RecordError(f"a {mark} where {opened[-1]} is open")
                opened = opened[:-1]
                if not opened:
                    return token.end()
        return None

    def _resume(self) -> None:
        """Goes on to where a record seems to begin, past the one that could not be cut out."""
        begin = self._next_item or _RESTART
        while True:
            found = begin.search(self._text, self._at + 1)
            if found is not None:
                self._at = found.end() if self._next_item else found.start()
                return
            # The beginning of a record may be split between this piece and the next.
            self._at = max(self._at, len(self._text) - 100)
            if self._ended:
                self._at = len(self._text)
                return
            self._fill()

    def _fill(self) -> None:
        """Reads a further piece, and forgets what is done with."""
        assert self._file is not None
        if len(self._text) - self._at > MAX_RECORD:
            raise RecordError(f"the record is longer than {MAX_RECORD} characters")
        self._counted = (0, self._line_at(self._at))
        piece = self._file.read(PIECE)
        self._ended = not piece
        self._text = self._text[self._at :] + piece
        self._start = self._at = 0

    def _blank_end(self, position: int) -> int:
        """The end of the space, commas, comments and document marks from `position` on."""
        found = _BLANK.match(self._text, position)
        assert found is not None  # the expression also matches nothing
        return found.end()

    def _skip_blank(self) -> bool:
        """Goes past what separates records; says whether enough is there to see what follows."""
        end = self._blank_end(self._at)
        there = end < len(self._text) if self._ended else end + LOOK_AHEAD <= len(self._text)
        if there or self._ended:
            self._at = end
        else:
            # The last line may be the beginning of a comment.
            self._at = max(self._at, self._text.rfind("\n", self._at, end) + 1)
        return there

    def _line_at(self, position: int) -> int:
        counted, line = self._counted
        if position < counted:
            return line - self._text.count("\n", position, counted)
        line += self._text.count("\n", counted, position)
        self._counted = (position, line)
        return line

    def _report(self, error: RecordError) -> None:
        self._log.add(self._path, self.line + error.line, str(error))

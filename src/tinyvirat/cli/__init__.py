"""The command line: finds the command, runs it, and says mistakes in one line.

Results go to standard output, messages to standard error. Exit codes: 0 done, 1 something given was
wrong (a `TinyviratError`), 2 the command line itself was wrong, 130 interrupted. Anything else is a
defect and shows its traceback.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from tinyvirat import __version__
from tinyvirat.cli import commands
from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.progress import say
from tinyvirat.common.words import printable


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line.

    Args:
        argv: the words after `tinyvirat`; those of this process by default.

    Returns:
        The exit code.

    Raises:
        SystemExit: with 0 after a command's `--help`, with 2 when its arguments do not fit.
    """
    try:
        code = _run(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except TinyviratError as error:
        say(f"tinyvirat: error: {error}")
        return 1
    except KeyboardInterrupt:
        say("tinyvirat: interrupted")
        return 130
    except BrokenPipeError:
        # The reader of the output (`head`) has gone: say nothing, and keep the interpreter from
        # saying it when it flushes standard output at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return code


def _run(words: list[str]) -> int:
    name, rest = commands.find(words)
    if name in commands.COMMANDS:
        from tinyvirat.cli import parser

        code = parser.call(name, commands.load(name), rest)
        return code if isinstance(code, int) else 0
    if rest and rest[0] in ("-h", "--help"):
        sys.stdout.write(_group_help(name))
        return 0
    if rest == ["--version"] and not name:
        sys.stdout.write(f"tinyvirat {__version__}\n")
        return 0
    if not rest:
        sys.stderr.write(_group_help(name))
        return 2
    return _unknown(name, rest[0])


def _group_help(group: str) -> str:
    prog = f"tinyvirat {group}".rstrip()
    about = commands.GROUPS.get(group, "Recognise actions too small to see.")
    below = commands.children(group)
    width = max(map(len, below)) + 2
    lines = [f"  {word:{width}}{summary}" for word, summary in below.items()]
    options = "" if group else " [--version]"
    return "\n".join(
        [
            f"usage: {prog} [--help]{options} COMMAND ...\n",
            f"{about[0].upper()}{about[1:]}\n",
            "commands:",
            *lines,
            f"\nRun '{prog} COMMAND --help' for one of them.\n",
        ]
    )


def _unknown(group: str, word: str) -> int:
    """Says which command was probably meant, here or elsewhere in the tree; the exit code."""
    import difflib

    prog = f"tinyvirat {group}".rstrip()
    near = difflib.get_close_matches(word, commands.children(group), n=1)
    meant = [f"{prog} {near[0]}"] if near else []
    meant += [f"tinyvirat {name}" for name in commands.COMMANDS if word in name.split()]
    suggestion = f", did you mean '{meant[0]}'?" if meant else ""
    sys.stderr.write(
        f"{prog}: error: {printable(word)!r} is not a command{suggestion}\n"
        f"Run '{prog} --help' for the commands.\n"
    )
    return 2

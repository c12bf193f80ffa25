"""`darnerpy completion`: prints the script that has a shell complete commands, options and names of queues.

The script is made by shtab, of darnerpy[top], from what the commands declare. When it runs, it asks the
server which queues there are by `darnerpy completion queues`; all else it knows.
"""

import argparse

from ..errors import DarnerError
from .arguments import add_server_argument, plain_queue_name, queue_name
from .client import Client
from .commands import COMMANDS, parser_of
from .known import queue_names
from .terminal import say

_PATIENCE_MS = 1000

_COMPLETE = "darnerpy completion queues 2>/dev/null"

# A name may hold anything, `$(reboot)` too: no shell may take what it completes for code. So bash is
# given them quoted, and not as a word list, which it would expand; the other two quote by themselves.
_QUEUES: dict[str, str | dict[str, str]] = {
    "bash": "_darnerpy_queues",
    "zsh": "_darnerpy_queues",
    "fish": f"({_COMPLETE})",
    "preamble": {
        "bash": f"""
_darnerpy_queues() {{
  local name
  while IFS= read -r name; do
    name=$(printf '%q' "$name")
    [[ $name != "$1"* ]] || printf '%s\\n' "$name"
  done < <({_COMPLETE})
}}
""",
        "zsh": f"""
_darnerpy_queues() {{
  local -a names
  names=("${{(@f)$({_COMPLETE})}}")
  compadd -a names
}}
""",
    },
}

_BASH_WORDS = """

# Bash parts words at : and =, which addresses have and options are given with. The function above is
# handed them as they were typed, and --option=value as two.
_darnerpy() {
  local rest=$COMP_LINE word i at=0 begun part
  local -a words=()
  for ((i = 0; i <= COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    begun=${rest%%[![:space:]]*}
    rest=${rest#"$begun"}
    rest=${rest#"$word"}
    if [[ $i == 0 || -n $begun ]]; then
      words+=("$word")
    else
      words[${#words[@]} - 1]+=$word
    fi
  done
  word=${words[${#words[@]} - 1]}
  part=${word%"${word##*[:=]}"}
  local -a COMP_WORDS=()
  for word in "${words[@]}"; do
    case $word in
      --*=*) COMP_WORDS+=("${word%%=*}" "${word#*=}") part=${part#"${word%%=*}="} ;;
      *) COMP_WORDS+=("$word") ;;
    esac
  done
  local COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  _shtab_darnerpy
  COMPREPLY=("${COMPREPLY[@]#"$part"}")
}
complete -o bashdefault -F _darnerpy darnerpy
"""


class _Shells(tuple[str, ...]):
    """What there is to choose; `queues`, which the scripts ask for, is no shell."""

    def __contains__(self, word: object) -> bool:
        return word == "queues" or super().__contains__(word)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "shell",
        choices=_Shells(("bash", "zsh", "fish")),
        metavar="SHELL",
        help="bash, zsh or fish; or queues, for the names that are completed, each in a line",
    )
    add_server_argument(parser)


def run(args: argparse.Namespace) -> int:
    if args.shell == "queues":
        with Client(args.server, _PATIENCE_MS) as server:
            names = [name for name in queue_names(server) if name.isprintable()]
        if names:
            say("\n".join(names))
    else:
        print(_script(args.shell))
    return 0


def _script(shell: str) -> str:
    try:
        import shtab
    except ImportError:
        raise DarnerError(
            "completion needs the package shtab: pip install 'darnerpy[top]'"
        ) from None
    parser, commands = parser_of(COMMANDS)
    for each in commands.values():
        for action in each._actions:
            if action.type in (queue_name, plain_queue_name):
                kind: object = _QUEUES
            elif action.metavar in ("FILE", "SOURCE", "DIR"):
                kind = shtab.DIRECTORY if action.metavar == "DIR" else shtab.FILE
            else:
                continue
            action.complete = kind  # type: ignore[attr-defined]  # where shtab looks for it
    return shtab.complete(parser, shell) + (_BASH_WORDS if shell == "bash" else "")

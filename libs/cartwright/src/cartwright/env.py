"""`cartwright env`: what one process of the running shop sees, for a shell to source."""

import typer

from cartwright import location, one_process


def env(process: one_process.ProcessArgument, home: location.HomeOption = None) -> None:
    """Print the environment of a process as `export NAME='value'`, to be sourced.

    With its passwords and keys: they are those of your own shop on this machine, and open nothing
    else.
    """
    _, described = one_process.find(location.find(home), process)
    for name, value in sorted(described.env.items()):
        typer.echo(f"export {name}={quoted(value)}")


def quoted(value: str) -> str:
    """As any shell of POSIX reads it: between single quotes nothing has a meaning but they."""
    return "'" + value.replace("'", "'\\''") + "'"

"""The command `accepted`. Each subcommand is a module of its own, imported when it is called."""

import importlib
import io
import sys
from typing import Any

if sys.version_info < (3, 11):  # noqa: UP036 - pip can be told to ignore what the package requires
    found = ".".join(map(str, sys.version_info[:2]))
    sys.exit(f"Python is too old: this is {found}, and 3.11 is the oldest that works. Install a newer one.")

import click

# One line per subcommand: its name, and where its click command is.
COMMANDS = {
    "start": "accepted.loop.start:start",
    "check": "accepted.check.command:check",
    "watch": "accepted.loop.watch:watch",
    "hint": "accepted.loop.revealing:hint",
    "diff": "accepted.loop.revealing:diff",
    "catch-up": "accepted.loop.replacing:catch_up",
    "reset": "accepted.loop.replacing:reset",
    "restore": "accepted.loop.replacing:restore",
    "score": "accepted.loop.score:score",
    "doctor": "accepted.loop.doctor:doctor",
    "graders": "accepted.graders.command:graders",
    "flake": "accepted.graders.flake:flake",
    "cohort": "accepted.instructor.cohort:cohort",
    "lint-exercises": "accepted.instructor.lint:command",
    "new-exercise": "accepted.instructor.skeleton:command",
    "demo": "accepted.demo.command:demo",
    "up": "accepted.stack.up:up",
    "down": "accepted.stack.down:down",
    "status": "accepted.stack.status:status",
    "logs": "accepted.stack.show_logs:logs",
    "bench": "accepted.bench.command:bench",
    "load": "accepted.load.command:load",
    "simulate": "accepted.scaling.command:simulate",
    "compare": "accepted.compare.command:compare",
    "demand": "accepted.demand.command:demand",
    "before-after": "accepted.ascent.command:before_after",
    "notebooks": "accepted.notebooks.command:notebooks",
    "sweep": "accepted.sweep.command:command",
    "ablation": "accepted.sweep.ablation:command",
}


class Doors(click.Group):
    """Subcommands by name; what goes wrong is told in one line, without a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        from accepted.stack.errors import Problem

        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a screen that lacks ✓ shows ?, and the rest as well
        try:
            return super().invoke(ctx)
        except Problem as problem:
            click.echo(f"Error: {problem.report()}", err=True)
            ctx.exit(1)


@click.command(cls=Doors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="accepted", message="%(prog)s %(version)s")
def main() -> None:
    """Run, watch and test Flask background work at scale, on servers that came with this package."""


if __name__ == "__main__":
    main(prog_name="accepted")

"""The commands: each parses its options, calls an action, and renders what it returns.

Actions are imported where they are called: a `status` must not pay for a `push`.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Annotated

import typer

from hashmark._version import __version__
from hashmark.cli import everyday, render
from hashmark.cli.boundary import chosen, guarded
from hashmark.cli.cleaning import clean, undo
from hashmark.cli.exits import Exit, worst
from hashmark.cli.output import console
from hashmark.cli.shared_options import DatasetArgument, DatasetsArgument, JsonOption, LibraryOption, SelectOption
from hashmark.cli.trash import trash_app
from hashmark.core.plan import Direction, Location, Policy, Side
from hashmark.library.library import Library
from hashmark.library.settings import create, refuse_inside

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Proves whether the training images and captions on your disk are the ones in your S3 bucket, "
    "and moves exactly what differs.",
    epilog="Exit status: 0 all in sync or done · 1 something is not in sync, or odd · 2 wrong usage or settings · "
    "3 the store can't be reached or refuses · 4 refused or done in part · 130 interrupted.",
)
app.add_typer(trash_app, name="trash")


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", "-V", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(f"hashmark {__version__}")
        raise typer.Exit


@app.command()
@guarded
def init(
    folder: Annotated[Path, typer.Argument(help="The folder whose sub-folders are datasets.")] = Path(),
    remote: Annotated[str, typer.Option(help="The bucket: s3://bucket/prefix.")] = ...,  # type: ignore[assignment]
    endpoint_url: Annotated[str | None, typer.Option(help="The store's address; left out for AWS.")] = None,
    region: Annotated[str | None, typer.Option(help="The bucket's region.")] = None,
    profile: Annotated[str | None, typer.Option(help="A profile of ~/.aws.")] = None,
    as_json: JsonOption = False,
) -> Exit:
    """Make a folder a library: write its hashmark.toml."""
    given = {"url": remote, "endpoint_url": endpoint_url, "region": region, "profile": profile}
    refuse_inside(folder.expanduser())
    create(folder.expanduser(), {name: value for name, value in given.items() if value is not None})
    with Library.open(folder) as library:
        names = [dataset.name for dataset in library.datasets()]
        if as_json:
            render.print_json({"library": str(library.root), "remote": remote, "datasets": names})
        else:
            typer.echo(f"{library.root} now mirrors {remote}: {len(names)} datasets on disk.")
            typer.echo("Next: `hashmark doctor` checks the store, `hashmark status` compares.")
    return Exit.DONE


@app.command()
def status(
    datasets: Annotated[list[str] | None, typer.Argument(help="Datasets; all of them where none is named.")] = None,
    rehash: Annotated[bool, typer.Option("--rehash", help="Read every file again.")] = False,
    deep: Annotated[bool, typer.Option("--deep", help="Download what can't be told otherwise.")] = False,
    against: Annotated[
        Path | None,
        typer.Option("--against", help="Compare with a listing saved by `ls-remote --json`, or an S3 Inventory."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Name every file that is not in sync.")] = False,
    as_json: JsonOption = False,
    library: LibraryOption = None,
) -> None:
    """Show what is in sync and what is not, and how it is known. Exit status 0 only if all is proven equal."""
    everyday.status(
        datasets or [], rehash=rehash, deep=deep, against=against, every=every, as_json=as_json, library=library
    )


@app.command("ls-remote")
def ls_remote(dataset: DatasetArgument, as_json: JsonOption = False, library: LibraryOption = None) -> None:
    """List what the bucket holds for a dataset: size, ETag, time and key."""
    everyday.ls_remote(dataset, as_json=as_json, library=library)


@app.command()
@guarded
def diff(
    dataset: DatasetArgument,
    keys: Annotated[list[str] | None, typer.Argument(help="Captions or their images; else all that differ.")] = None,
    as_json: JsonOption = False,
    library: LibraryOption = None,
) -> Exit:
    """Show captions on disk against the bucket, word by word: [-bucket-] {+disk+}."""
    from hashmark.actions.diff import diff as compare

    with Library.open(library) as opened:
        found = compare(opened.dataset(dataset), keys or [])
        if as_json:
            rows = [row.to_json() for row in found]
            render.print_json({"captions": rows})
            return Exit.NOT_IN_SYNC if rows else Exit.DONE
        out, any_shown = console(), False
        for row in found:
            render.diff_text(row, out)
            any_shown = True
        return Exit.NOT_IN_SYNC if any_shown else Exit.DONE


TakeOption = Annotated[Side | None, typer.Option("--take", help="Whose content wins where both sides changed.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.")]
DeleteOption = Annotated[
    bool, typer.Option("--delete", help="Also delete (to the trash) what the other side does not have.")
]
MaxDeleteOption = Annotated[int | None, typer.Option("--max-delete", min=0, help="Agree to this many deletes.")]


@app.command()
def push(
    datasets: DatasetsArgument,
    select: SelectOption = None,
    take: TakeOption = None,
    delete: DeleteOption = False,
    max_delete: MaxDeleteOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    library: LibraryOption = None,
) -> None:
    """Upload what the bucket does not have. Nothing is overwritten that you were not shown."""
    policy = Policy(Direction.PUSH, take, delete, max_delete, tuple(select or ()))
    everyday.move(datasets, policy, dry_run=dry_run, as_json=as_json, library=library)


@app.command()
def pull(
    datasets: DatasetsArgument,
    select: SelectOption = None,
    take: TakeOption = None,
    delete: DeleteOption = False,
    max_delete: MaxDeleteOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    library: LibraryOption = None,
) -> None:
    """Download what the disk does not have. Edits on disk are left alone unless you --take theirs."""
    policy = Policy(Direction.PULL, take, delete, max_delete, tuple(select or ()))
    everyday.move(datasets, policy, dry_run=dry_run, as_json=as_json, library=library)


@app.command()
@guarded
def delete(
    datasets: DatasetsArgument,
    select: Annotated[list[str], typer.Option("--select", help="The keys that match this glob; may be repeated.")],
    where: Annotated[Location, typer.Option("--from", help="The side that loses them.")],
    dry_run: DryRunOption = False,
    yes: Annotated[int | None, typer.Option("--yes", min=0, help="Agree to exactly this many deletes.")] = None,
    as_json: JsonOption = False,
    library: LibraryOption = None,
) -> Exit:
    """Move the selected files to the trash: on the disk, in the bucket, or both."""
    from hashmark.cli.deleting import delete as delete_all

    with Library.open(library) as opened:
        return delete_all(opened, datasets, tuple(select), where, dry_run=dry_run, yes=yes, as_json=as_json)


@app.command()
@guarded
def verify(
    datasets: DatasetsArgument,
    select: SelectOption = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Read everything, also what an interrupted run has read already.")
    ] = False,
    as_json: JsonOption = False,
    library: LibraryOption = None,
) -> Exit:
    """Download every object and compare its bytes: the proof that rests on no ETag."""
    from hashmark.cli.moving import verify_all

    with Library.open(library) as opened:
        return verify_all(opened, chosen(opened, datasets), tuple(select or ()), anew=anew, as_json=as_json)


app.command()(clean)
app.command()(undo)


@app.command()
@guarded
def lint(
    dataset: DatasetArgument,
    trainer: Annotated[
        list[str] | None,
        typer.Option(
            "--trainer",
            metavar="NAME",
            help="kohya, musubi, diffusion-pipe, ai-toolkit, simpletuner, onetrainer or all (default); repeatable.",
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Name every file.")] = False,
    as_json: JsonOption = False,
    library: LibraryOption = None,
) -> Exit:
    """Tell what each trainer will make of the folder on disk. Exit status 0 only if nothing is odd."""
    from hashmark.cli.linting import lint as lint_one

    with Library.open(library) as opened:
        return lint_one(opened.dataset(dataset), trainer or [], every=every, as_json=as_json)


@app.command()
@guarded
def doctor(
    abort_uploads: Annotated[
        bool,
        typer.Option(
            "--abort-uploads", help="Give up unfinished uploads: this library's, and others' older than a day."
        ),
    ] = False,
    as_json: JsonOption = False,
    library: LibraryOption = None,
) -> Exit:
    """Check credentials, reach and what this store can do; the bucket is left as it was."""
    from hashmark.actions import doctor as doctors

    out = console()
    checks = []
    with Library.open(library) as opened:
        for check in doctors.doctor(opened, abort_uploads=abort_uploads):
            checks.append(check)
            if not as_json:
                out.print(render.check_line(check))
    if as_json:
        render.print_json({"checks": [check.to_json() for check in checks]})
    if any(check.vital and not check.ok for check in checks):
        return Exit.STORE
    return worst([Exit.DONE if check.ok or check.name != "write" else Exit.STORE for check in checks])


@app.command()
@guarded
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0 for any that is free.", min=0, max=65535)] = 8271,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in your browser.")] = False,
    every: Annotated[
        float | None, typer.Option(min=5, help="Compare with the bucket again after so many seconds.")
    ] = None,
    against: Annotated[
        list[str] | None, typer.Option(help="DATASET=FILE: show a dataset against a saved listing.")
    ] = None,
    name: Annotated[list[str] | None, typer.Option(help="Another Host to answer to, such as a proxy's.")] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Serve https with this certificate.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="The certificate's private key.")] = None,
    insecure_http: Annotated[
        bool, typer.Option("--insecure-http", help="Agree to plain http beyond this machine.")
    ] = False,
    library: LibraryOption = None,
) -> Exit:
    """Show the library in the browser: the S3 Manager. Only who has the printed link gets in."""
    from hashmark.cli.serve import run
    from hashmark.web.server import http_server

    token = http_server.token_from_environment()
    where = http_server.ListenAddress(
        host, port, tuple(name or ()), tls_cert, tls_key, insecure_http=insecure_http, token=token
    )
    with Library.open(library) as opened:
        return run(opened, where, against=against or [], every=every, open_page=open_page)


@app.command()
@guarded
def demo(
    folder: Annotated[Path, typer.Option("--dir", help="Where the sample library is made.")] = Path("demo-library"),
    serve: Annotated[bool, typer.Option("--serve/--no-serve", help="Show the page at the end, until Ctrl-C.")] = True,
    port: Annotated[int, typer.Option(help="The page's port; another one where it is taken.", min=0, max=65535)] = 8271,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in your browser.")] = False,
    as_json: JsonOption = False,
) -> Exit:
    """Make a sample library with its own bucket, and walk through a day with it."""
    from hashmark.cli.demo import Story

    return Story(folder.expanduser(), as_json=as_json).play(serve=serve, port=port, open_page=open_page)


def app_for(words: Sequence[str]) -> typer.Typer:
    """The application; of one command alone where one is named first, for working out the options of all takes time."""
    first = next(iter(words), "")
    named = [one for one in app.registered_commands if first == (one.name or getattr(one.callback, "__name__", None))]
    if not named:
        return app
    small = copy(app)
    small.registered_commands, small.registered_groups = named, []
    return small

"""``resnet18-lab classify``."""

import os
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from resnet18_lab.cli.console import note
from resnet18_lab.cli.names import Language

EXAMPLES = (
    "Examples:  resnet18-lab classify cat.jpg  ·  resnet18-lab classify data/samples --top-k 5  ·  "
    "resnet18-lab classify photos --format json > answers.json"
)
PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".bmp"})
BATCH_SIZE = 4


class OutputFormat(StrEnum):
    """How results are written to stdout."""

    table = "table"
    json = "json"
    csv = "csv"


def pictures_in(paths: list[Path]) -> Iterator[Path]:
    """The files named, and of each folder the pictures in it and below, sorted; links to folders are not followed."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, names, files in os.walk(path):
            names.sort()
            yield from (Path(folder, name) for name in sorted(files) if Path(name).suffix.lower() in PICTURE_SUFFIXES)


def classify(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Pictures, or folders of pictures.")],
    top_k: Annotated[int, typer.Option("--top-k", "-k", help="Answers per picture, 1 to 1000.")] = 3,
    output_format: Annotated[
        OutputFormat, typer.Option("--format", "-f", help="What stdout gets.")
    ] = OutputFormat.table,
    lang: Annotated[
        Language | None, typer.Option(help="Names and messages; if not given, en in the table and both elsewhere.")
    ] = None,
    backend: Annotated[str, typer.Option(help="Engine; auto takes the fastest whose artifact exists.")] = "auto",
    threads: Annotated[int | None, typer.Option(help="Threads of one run; all usable cores if not given.")] = None,
    weights: Annotated[
        str, typer.Option(help="official, compact, compact-large, untrained, auto, or a path.")
    ] = "auto",
    build: Annotated[bool, typer.Option("--build", help="Make missing artifacts first (needs torch).")] = False,
) -> int:
    """Name what is in pictures: the best classes with their scores.

    Exit status 1 when a picture could not be read: it is reported, and the rest go on.
    """
    from resnet18_lab.backends.registry import formats_for, open_backend
    from resnet18_lab.classify import classify_files
    from resnet18_lab.cli import rendering

    if build:
        from resnet18_lab.cli.artifacts import build_artifacts

        build_artifacts(weights, formats_for(backend))
    files = list(pictures_in(paths))
    _hint_at_backslashes(files)
    if not files:
        note(f"no pictures in {', '.join(map(str, paths))} (looked for {' '.join(sorted(PICTURE_SUFFIXES))})")
        return 1
    with open_backend(backend, weights=weights, threads=threads) as engine:
        note(f"engine: {engine.engine}")
        if engine.engine.weights == "untrained":
            note("UNTRAINED weights: the answers below mean nothing; they show shapes and speed only")
        batch = BATCH_SIZE if len(files) > 1 else 1
        results = classify_files(files, engine, k=top_k, batch_size=batch)
        failed = rendering.WRITERS[output_format.value](results, _languages(lang, output_format))
    if failed:
        note(f"{failed} of {len(files)} pictures could not be read")
    return 1 if failed else 0


def _languages(chosen: Language | None, output_format: OutputFormat) -> tuple[str, ...]:
    default = Language.en if output_format is OutputFormat.table else Language.both
    return (chosen or default).keys


def _hint_at_backslashes(files: list[Path]) -> None:
    """A path copied from Windows is one long name elsewhere: say which file it may mean."""
    for file in files:
        turned = Path(str(file).replace("\\", "/"))
        if "\\" in str(file) and not file.exists() and turned.exists():
            note(f"{file} does not exist; did you mean {turned}?")

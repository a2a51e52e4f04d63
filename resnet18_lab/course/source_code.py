"""The package's own code, shown in a lesson, so that nobody wonders what a call does."""

import inspect
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from IPython.display import Markdown

from resnet18_lab.base.errors import ParameterError


def show_source(shown: Callable[..., Any] | type | ModuleType) -> Markdown:
    """The source of a function, class or module of Python as highlighted code, below the file it stands in.

    Raises ParameterError for what has no Python source, such as a function of C.
    """
    shown = inspect.unwrap(shown) if callable(shown) else shown
    try:
        source, file = inspect.getsource(shown), Path(inspect.getsourcefile(shown) or "")
    except (TypeError, OSError) as error:
        raise ParameterError(f"{shown!r} has no Python source to show.") from error
    package = next(parent for parent in file.parents if not (parent / "__init__.py").exists())
    where, fence = file.relative_to(package).as_posix(), "~~~~~~"  # which no docstring holds
    return Markdown(f"`{where}`\n{fence}python\n{textwrap.dedent(source)}{fence}")  # type: ignore[no-untyped-call]

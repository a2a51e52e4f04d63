"""How figures are stored in notebooks: photographs as JPEG, charts as PNG, so that files stay small."""

import io

from matplotlib.figure import Figure

PHOTOGRAPH = "photograph"
"""A figure with this label holds photographs."""
CHART = "chart"
_DPI = {"jpeg": 56, "png": 90}
_JPEG_QUALITY = 60


def _encode(figure: Figure, kind: str) -> bytes:
    out = io.BytesIO()
    options = {"pil_kwargs": {"quality": _JPEG_QUALITY, "optimize": True}} if kind == "jpeg" else {}
    figure.savefig(out, format=kind, dpi=_DPI[kind], **options)  # type: ignore[arg-type]
    return out.getvalue()


def jpeg_of(figure: Figure) -> bytes | None:
    """JPEG bytes of a figure of photographs, None for a chart."""
    return _encode(figure, "jpeg") if figure.get_label() == PHOTOGRAPH else None


def png_of(figure: Figure) -> bytes | None:
    """PNG bytes of a chart, None for a figure of photographs."""
    return None if figure.get_label() == PHOTOGRAPH else _encode(figure, "png")


def use_in_notebook() -> None:
    """Register both with the running IPython shell; does nothing outside one."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()  # type: ignore[no-untyped-call, unused-ignore]
    if shell is None or shell.display_formatter is None:
        return
    formatters = shell.display_formatter.formatters
    formatters["image/jpeg"].for_type(Figure, jpeg_of)
    formatters["image/png"].for_type(Figure, png_of)

"""Kernels that do not name their Python's version: JupyterLab would write it into every notebook it opens."""

from ipykernel.ipkernel import IPythonKernel

IPythonKernel.language_info.pop("version", None)

"""Notebooks of a few cells in a folder of their own, for the tests of reports."""

import nbformat

from resnet18_lab.base import paths

DECLARED = 'weights: str = "auto"  # w\nresults_dir: str = ""  # r\ncount: int = 3  # c'


def write_notebook(folder, name, *cells, declared=DECLARED):
    notebook = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    )
    notebook.cells = [
        nbformat.v4.new_markdown_cell(f"# About {name}"),
        nbformat.v4.new_code_cell(declared, metadata={"tags": ["parameters"]}),
        *(nbformat.v4.new_code_cell(cell) for cell in cells),
    ]
    nbformat.write(notebook, folder / f"{name}.ipynb")


def course_folder(tmp_path, monkeypatch, home, full):
    """An empty course with this full profile, which the reports of this test are made of."""
    folder = tmp_path / "course"
    (folder / "profiles").mkdir(parents=True)
    (folder / "profiles" / "full.yml").write_text(full, encoding="utf-8")
    monkeypatch.setattr(paths, "notebooks_dir", lambda: folder)
    monkeypatch.setenv("RESNET18_LAB_HOME", str(home))
    return folder

"""The rooms of the package stand in one order, and a room imports only from those before it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from rooms import README, ROOMS, WITHOUT_TORCH, readme

import resnet18_lab

PACKAGE = Path(resnet18_lab.__file__).parent
HEAVY = {"torch", "torchvision", "onnxscript", "torchao", "pandas", "matplotlib"}
OUTSIDE = {"__init__.py", "__init__.pyi", "__main__.py", "_bootstrap.py", "data", "py.typed", *ROOMS}
MODULES = sorted(PACKAGE.rglob("*.py"))


def _room(path: Path) -> str | None:
    """The room a module stands in; None for the package's own three files."""
    first = path.relative_to(PACKAGE).parts[0]
    return first if first in ROOMS else None


def _imports(path: Path) -> list[tuple[str, str | None]]:
    """(module, name) imported anywhere in the file, in functions too; what is for type checking alone is left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    pairs: list[tuple[str, str | None]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            pairs += [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            pairs += [(node.module or "", alias.name) for alias in node.names]
    return pairs


def _rooms_imported(path: Path) -> set[str]:
    rooms = set()
    for module, name in _imports(path):
        parts = [*module.split("."), *([name] if name else [])]
        if parts[0] == "resnet18_lab" and len(parts) > 1 and parts[1] in ROOMS:
            rooms.add(parts[1])
    return rooms


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_from_rooms_before_it(path):
    if (room := _room(path)) is None:
        return
    later = set(ROOMS[ROOMS.index(room) + 1 :])
    assert not _rooms_imported(path) & later, f"{path.relative_to(PACKAGE)} imports from a later room"


def test_the_first_six_rooms_import_neither_torch_nor_what_only_a_study_needs():
    for path in MODULES:
        if _room(path) in WITHOUT_TORCH:
            heavy = {module.split(".")[0] for module, _ in _imports(path)} & HEAVY
            assert not heavy, f"{path.relative_to(PACKAGE)} imports {heavy}"


def test_no_module_stands_outside_a_room():
    assert {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"} <= OUTSIDE


def test_no_private_name_crosses_a_module():
    for path in MODULES:
        for module, name in _imports(path):
            if module.split(".")[0] == "resnet18_lab" and name and not name.startswith("__"):
                private = name.startswith("_") and (module, name) != ("resnet18_lab", "_bootstrap")
                assert not private, f"{path.relative_to(PACKAGE)} imports {module}.{name}"


def test_no_private_attribute_of_another_module_is_used():
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        modules = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("resnet18_lab")
            for alias in node.names
            if (PACKAGE.parent / f"{node.module}.{alias.name}".replace(".", "/")).with_suffix(".py").is_file()
        }
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id in modules
                and node.attr != "__file__"
            ):
                assert not node.attr.startswith("_"), f"{path.relative_to(PACKAGE)} uses {node.value.id}.{node.attr}"


def test_the_course_is_imported_by_the_command_line_alone():
    for path in MODULES:
        if _room(path) not in ("course", "cli"):
            assert "course" not in _rooms_imported(path), path


def test_a_rooms_own_file_holds_one_sentence_and_nothing_else():
    for path in MODULES:
        if path.name == "__init__.py" and path.parent != PACKAGE:
            body = ast.parse(path.read_text(encoding="utf-8")).body
            assert len(body) == 1 and isinstance(body[0], ast.Expr), f"{path.relative_to(PACKAGE)} holds more"


def test_importing_the_first_six_rooms_leaves_torch_out():
    modules = [
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        for path in MODULES
        if _room(path) in WITHOUT_TORCH and path.name not in ("__init__.py", "openvino.py")
    ]
    code = "import sys\n" + "\n".join(f"import {module}" for module in modules)
    code += "\nassert not {'torch', 'pandas', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_readmes_tree_is_what_the_rooms_say_of_themselves():
    assert README.read_text(encoding="utf-8") == readme(), "run tools/pages/rooms.py"

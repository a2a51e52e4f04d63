"""The arrows of import go only downward, and torch stays out of the lower floors."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from resnet18_lab import paths

PACKAGE = Path(paths.__file__).parent
FLOORS = {
    0: ["images", "image_formats", "image_errors", "preprocess", "labels", "weights", "catalogue", "transfer", "fetch", "artifacts", "paths", "errors", "atomicfile",
        "hashing", "cores", "samples", "environment", "provide", "text_safety"],
    1: ["metrics", "parity_pictures", "tuned", "backends", "classify", "bulk"],
    2: ["model", "torchscript", "compiled", "onnx_graphs", "calibration", "rounding", "reconstruction", "quantize", "export", "build", "parity", "introspection", "torch_backends", "_torchvision"],
    3: ["architecture", "architecture_plots", "stage_times", "equalization", "quantization_study", "quantization_rivals", "quantization_plots", "quantization_lessons", "conversion_study", "graph_pictures", "receptive_field", "skip_study", "folding", "preprocessing_study", "preprocessing_plots", "uint8_input", "bulk_lessons", "claims", "benchmark", "doctor", "evaluate", "mistakes", "plots", "notebook_display", "serving_study", "load_study", "serving_plots"],
    4: ["cli", "report", "service", "__main__", "setup_tasks"],
}  # fmt: skip
FLOOR_OF = {room: floor for floor, rooms in FLOORS.items() for room in rooms}
TORCH = {"torch", "torchvision", "onnxscript", "torchao"}


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(path: Path) -> set[str]:
    """Modules imported anywhere in the file, those for type checking alone left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found |= (
                {f"{node.module}.{alias.name}" for alias in node.names}
                if node.module == "resnet18_lab"
                else {node.module}
            )
    return found


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_its_own_floor_and_below(path):
    if path == PACKAGE / "__init__.py":
        return
    floor = FLOOR_OF[_room(path)]
    for name in _imports(path):
        parts = name.split(".")
        if parts[0] == "resnet18_lab" and len(parts) > 1 and parts[1] in FLOOR_OF:
            assert FLOOR_OF[parts[1]] <= floor, f"{_room(path)} (floor {floor}) imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_lower_floors_do_not_import_torch(path):
    if path != PACKAGE / "__init__.py" and FLOOR_OF[_room(path)] <= 1:
        assert not {name.split(".")[0] for name in _imports(path)} & TORCH


def test_no_room_is_missing_from_the_table():
    assert {_room(path) for path in MODULES} - {"__init__"} <= set(FLOOR_OF)


def test_importing_the_runtime_leaves_torch_out():
    rooms = [
        room
        for floor in (0, 1)
        for room in FLOORS[floor]
        if (PACKAGE / room).is_dir() or (PACKAGE / f"{room}.py").is_file()
    ]
    code = "import sys\n" + "\n".join(f"import resnet18_lab.{room}" for room in rooms)
    code += "\nimport resnet18_lab.backends.onnxruntime, resnet18_lab.cli\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)

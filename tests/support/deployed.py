"""The files of deploy/ that start the service, read."""

import re
from pathlib import Path
from typing import Any

import yaml

from support.project import ROOT

DEPLOY: Path = ROOT / "deploy"


def unit() -> dict[str, list[str]]:
    """The options of the unit's service; of one given twice, both."""
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / "resnet18-lab.service").read_text(encoding="utf-8").splitlines():
        if option := re.fullmatch(r"(\w+)=(.*)", line):
            found.setdefault(option[1], []).append(option[2])
    return found


def compose(name: str = "resnet18-lab") -> dict[str, Any]:
    """One of the services of compose.yaml."""
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"][name]


def objects() -> dict[str, dict[str, Any]]:
    """The Kubernetes objects by kind."""
    return {one["kind"]: one for one in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8"))}


def pod() -> dict[str, Any]:
    """What a pod of the Deployment is made of."""
    return objects()["Deployment"]["spec"]["template"]["spec"]

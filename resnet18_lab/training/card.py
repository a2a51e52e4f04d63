"""The card of a model: what it was made from and how, and how good it is on pictures that it never saw."""

import json
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resnet18_lab.base import hashing
from resnet18_lab.base.errors import ParameterError
from resnet18_lab.base.files import write_text
from resnet18_lab.base.machine import package_versions
from resnet18_lab.base.networks import Network
from resnet18_lab.inference import metrics, unknown
from resnet18_lab.inference.classify import outputs_of
from resnet18_lab.inference.engine import Engine
from resnet18_lab.inference.predictions import softmax
from resnet18_lab.training.card_text import text_of
from resnet18_lab.training.depths import Learned
from resnet18_lab.training.material import Material, Recipe
from resnet18_lab.training.own_files import list_sha256
from resnet18_lab.training.photos import Photos
from resnet18_lab.training.split import Split
from resnet18_lab.weights.catalogue import entry_named
from resnet18_lab.weights.find import WeightsFile
from resnet18_lab.weights.own import CARD, CARD_TEXT, FORMAT, HASHED

_WORST = 10
_BATCH = 8


@dataclass(frozen=True)
class Facts:
    """All that a card is written from."""

    photos: Photos
    recipe: Recipe
    parent: WeightsFile
    network: Network
    parts: Split
    learned: Learned

    @property
    def material(self) -> Material:
        """The pictures with the features of the network that was learned."""
        return self.learned.material


def content(facts: Facts, folder: Path) -> dict[str, Any]:
    """The card of the model whose files lie in ``folder``, without what its INT8 file answers."""
    parent = facts.parent
    return {
        "format": FORMAT,
        "name": facts.recipe.name,
        "made": time.strftime("%Y-%m-%d"),
        "network": facts.network.as_json(),
        "parent": {"weights": parent.name, "sha256": parent.sha256, "licence": licence_of(parent)},
        "recipe": _recipe(facts),
        "versions": package_versions(),
        "data": _data(facts),
        "results": judged(facts),
        "unknown": _unknown(facts),
        "files": {name: hashing.sha256(folder / name, remember=False) for name in HASHED},
    }  # fmt: skip


def _recipe(facts: Facts) -> dict[str, Any]:
    """What was asked for, and what was chosen by pictures that are not judged."""
    asked, learned = asdict(facts.recipe), facts.learned
    told = {name: asked[name] for name in ("share", "series", "balance", "seed")}
    run = learned.deep or learned.tried
    if learned.deep is None:
        told |= {"strength": learned.head.strength, "cross_validation": learned.head.scores}
    if run is not None:
        told |= {name: asked[name] for name in ("size", "epochs", "minutes")}
        told |= {"asked": asked["depth"], "chosen_by": len(run.chosen), "won": run.won, "lost": run.lost}
        told |= {"finished": run.finished, "curve": run.curve}
    return {"depth": learned.depth, **told}


def licence_of(parent: WeightsFile) -> str:
    """The licence of what is made from these weights."""
    try:
        return entry_named(parent.name).licence
    except ParameterError:
        return f"that of the weights file {parent.path.name if parent.path else parent.name}"


def _data(facts: Facts) -> dict[str, Any]:
    examples, parts = facts.material.examples, facts.parts
    counts = {what: Counter(examples[position].label for position in positions)
              for what, positions in (("learned", facts.learned.known), ("judged", parts.judged))}  # fmt: skip
    return {
        "folder": facts.photos.folder.resolve().name,
        "judged_on": facts.photos.judged_on or "a part held out here",
        "classes": {
            name: {
                "learned": counts["learned"][label], "judged": counts["judged"][label],
                "sha256": list_sha256([example.sha256 for example in examples if example.label == label]),
            }
            for label, name in enumerate(facts.photos.classes)
        },
        "broken": facts.material.broken,
        "left_out": {examples[position].name: reason for position, reason in parts.left_out.items()},
    }  # fmt: skip


def judged(facts: Facts) -> dict[str, Any]:
    """How good the float network is on the judged pictures: logits from features made by the service's own crop."""
    positions = facts.parts.judged
    logits = facts.learned.head.logits(facts.material.features[positions])
    truth = facts.material.labels(positions)
    best, scores = logits.argmax(axis=1), softmax(logits)
    confusion = np.zeros((len(facts.photos.classes),) * 2, np.int64)
    np.add.at(confusion, (truth, best), 1)
    wrong = [row for row in np.argsort(-scores.max(axis=1), kind="stable") if best[row] != truth[row]]
    return {
        "pictures": len(truth),
        "top1": asdict(metrics.wilson(int((best == truth).sum()), len(truth))),
        "macro_f1": macro_f1(confusion),
        "confusion": confusion.tolist(),
        "calibration_error": metrics.calibration_error(scores.max(axis=1), best == truth),
        "worst": [
            {
                "file": facts.material.examples[positions[row]].name,
                "is": facts.photos.classes[truth[row]], "taken_for": facts.photos.classes[best[row]],
                "score": round(float(scores[row].max()), 4),
            }
            for row in wrong[:_WORST]
        ],
    }  # fmt: skip


def macro_f1(confusion: NDArray[np.int64]) -> float:
    """The mean over classes of 2·hits / (pictures of the class + answers of the class); rows are the truth."""
    hits = np.diag(confusion)
    both = confusion.sum(axis=0) + confusion.sum(axis=1)
    return float(np.mean(np.where(both > 0, 2 * hits / np.maximum(both, 1), 0.0)))


def _unknown(facts: Facts) -> dict[str, Any]:
    """The threshold, how it was chosen, and the share of the judged pictures that it keeps."""
    known = unknown.unit(facts.material.features[facts.learned.known])
    distances = unknown.distances(facts.material.features[facts.parts.judged], known)
    return {
        "threshold": facts.learned.threshold,
        "neighbours": unknown.NEIGHBOURS,
        "chosen": f"keeps {unknown.KEPT:.0%} of the {_own_pictures(facts)}",
        "judged_kept": asdict(metrics.wilson(int((distances <= facts.learned.threshold).sum()), len(distances))),
    }


def _own_pictures(facts: Facts) -> str:
    if count := len(facts.learned.chosen_by):
        return f"{count} pictures that were not learned from"
    return "learned pictures, each measured to those of other groups"


def int8_results(facts: Facts, engine: Engine) -> dict[str, Any]:
    """What the INT8 file answers on the judged pictures, and how often that is the float network's answer."""
    positions = facts.parts.judged
    files = [facts.material.paths[position] for position in positions]
    rows = [one.row for one in outputs_of(files, engine, batch_size=_BATCH) if one.row is not None]
    found = np.stack(rows)
    best = found[:, : len(facts.photos.classes)].argmax(axis=1)
    truth = facts.material.labels(positions)
    same = best == facts.learned.head.logits(facts.material.features[positions]).argmax(axis=1)
    return {
        "top1": asdict(metrics.wilson(int((best == truth).sum()), len(truth))),
        "same_answer": float(same.mean()),
        "kept": asdict(metrics.wilson(int((found[:, -1] <= facts.learned.threshold).sum()), len(truth))),
    }


def write(folder: Path, card: dict[str, Any]) -> None:
    """card.json for programs, card.md for people."""
    write_text(folder / CARD, json.dumps(card, ensure_ascii=False) + "\n")
    write_text(folder / CARD_TEXT, text_of(card))

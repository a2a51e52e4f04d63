"""A model's card for people."""

import json
from typing import Any

from resnet18_lab.base.errors import WeightsError


def text_of(card: dict[str, Any]) -> str:
    """The card as Markdown; WeightsError for one that lacks a part."""
    try:
        return _text_of(card)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise WeightsError(
            f"The card of {card.get('name')} lacks {error}; make the model anew or import it."
        ) from error


def _text_of(card: dict[str, Any]) -> str:
    results, told, parent = card["results"], card["unknown"], card["parent"]
    top1, kept = results["top1"], told["judged_kept"]
    lines = [
        f"# {card['name']}",
        "",
        f"Made on {card['made']} from the weights `{parent['weights']}` (SHA-256 `{parent['sha256'][:16]}…`). "
        f"Licence, as theirs: {parent['licence']}.",
        "",
        f"Right on {top1['hits']} of {top1['of']} pictures that it did not learn from ({card['data']['judged_on']}): "
        f"{top1['share']:.1%}, 95 % interval {top1['low']:.1%} to {top1['high']:.1%}; macro-F1 "
        f"{results['macro_f1']:.3f}.",
    ]
    if "int8" in results:
        int8 = results["int8"]
        lines[-1] += f" INT8: {int8['top1']['share']:.1%}, {int8['same_answer']:.1%} the same answers."
    lines += [
        "",
        f"Called unknown: pictures farther than {told['threshold']:.3f} (1 less the mean cosine to the "
        f"{told['neighbours']} nearest learned ones). Of the judged pictures {kept['share']:.1%} are kept.",
        "",
        "| class | learned | judged | " + " | ".join(f"as {name}" for name in card["data"]["classes"]) + " |",
        "|---|" + "---:|" * (2 + len(card["data"]["classes"])),
    ]
    for (name, counts), row in zip(card["data"]["classes"].items(), results["confusion"], strict=True):
        lines.append(f"| {name} | {counts['learned']} | {counts['judged']} | " + " | ".join(map(str, row)) + " |")
    lines += ["", "Surest mistakes:", ""]
    lines += [
        f"- {one['file']}: {one['is']} taken for {one['taken_for']} ({one['score']:.2f})" for one in results["worst"]
    ]
    lines += _recipe_lines(card["recipe"])
    if card["data"]["broken"]:
        lines += ["", f"Could not be read and was left out: {', '.join(sorted(card['data']['broken'])[:20])}"]
    return "\n".join(lines) + "\n"


def _recipe_lines(recipe: dict[str, Any]) -> list[str]:
    """The settings, and what each round brought."""
    curve = recipe.get("curve", [])
    settings = {name: value for name, value in recipe.items() if name != "curve"}
    lines = ["", f"Recipe: {json.dumps(settings, ensure_ascii=False)}"]
    if curve:
        of = int(recipe["chosen_by"])
        lines += ["", f"| round | right of {of} chosen by | loss on them | loss learned | seconds |",
                  "|---:|---:|---:|---:|---:|"]  # fmt: skip
    for one in curve:
        loss = "" if one["loss"] is None else f"{one['loss']:.3f}"
        lines.append(
            f"| {int(one['epoch'])} | {int(one['hits'])} | {one['chosen_loss']:.3f} | {loss} | {one['seconds']:.0f} |"
        )
    return lines

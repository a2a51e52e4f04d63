"""What tutorials about this model state, each beside what was measured here, with a verdict: from kept records."""

import tomllib
from collections.abc import Callable
from pathlib import Path

from claim_checks import network, speed
from claim_checks.evidence import ELSEWHERE, HOLDS, PART, UNCHECKED, VERDICTS, WRONG, Answer, Evidence
from resnet18_lab.base.errors import ParameterError

__all__ = ["CHECKS", "ELSEWHERE", "HOLDS", "PART", "UNCHECKED", "VERDICTS", "WRONG", "Answer", "Evidence", "table"]

STATEMENTS = Path(__file__).resolve().parents[1] / "claims.toml"
CHECKS: dict[str, Callable[[Evidence], Answer]] = {**network.CHECKS, **speed.CHECKS}


def stated() -> list[dict[str, str]]:
    """All statements, as claims.toml has them."""
    content = tomllib.loads(STATEMENTS.read_text(encoding="utf-8"))
    claims: list[dict[str, str]] = content["claim"]
    return claims


def table(evidence: Evidence) -> list[dict[str, str]]:
    """One row a statement, none dropped: one that the records cannot answer says so."""
    rows = []
    for claim in stated():
        try:
            answer = CHECKS[claim["check"]](evidence)
        except ParameterError as error:
            answer = Answer(f"not in the record ({error})", UNCHECKED)
        rows.append(
            {
                "by": claim["by"], "statement": claim["statement"], "stated": claim["stated"],
                "measured here": answer.measured, "command": claim["command"], "verdict": answer.verdict,
                "why": f"{answer.why} {claim['why']}".strip(),
            }
        )  # fmt: skip
    return rows

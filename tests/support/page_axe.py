"""What axe-core finds on a page."""

from support.project import ROOT

AXE = ROOT / "tests" / "support" / "vendor" / "axe-core" / "axe.min.js"


def violations(page):
    """A line each: rule, impact and the elements. The page was opened with ``bypass_csp``, which lets the checker in."""
    if not page.evaluate("Boolean(window.axe)"):
        page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
    result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert result["testEngine"]["name"] == "axe-core"
    return [
        f"{found['id']} ({found['impact']}): {[node['target'] for node in found['nodes'][:4]]}"
        for found in result["violations"]
    ]

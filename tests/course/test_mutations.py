"""Proof that the course would notice: mistakes in the package, each of which a notebook's checks must refuse.

nbval compares what a cell prints, and most cells print what depends on weights and machine; so the results are
checked, and here the checks themselves.
"""

import os
import re

import pytest
from support.mutations import CHECKS, MUTATIONS, PACKAGE, copy_of_the_project, refusal
from support.project import ROOT, trained_or_skip

ALL = os.environ.get("RESNET18_LAB_HARD") == "1"
HARD = pytest.mark.skipif(not ALL, reason="tried by `make notebooks-hard` (RESNET18_LAB_HARD=1)")


def tried(things, name, always):
    """The things as parameters; those that are not tried every time are marked."""
    return [pytest.param(each, id=name(each).replace(" ", "_"), marks=() if always(each) else HARD) for each in things]


@pytest.fixture(scope="module")
def weights():
    """Trained weights by path, since a copy of the package looks for them beside itself."""
    return str(trained_or_skip().path)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name.replace(" ", "_"))
def test_a_mutation_still_applies_to_the_package(mutation, tmp_path):
    mutated = tmp_path / mutation.file
    mutated.parent.mkdir(parents=True)
    mutated.write_text((ROOT / PACKAGE / mutation.file).read_text(encoding="utf-8"), encoding="utf-8")
    mutation.apply(tmp_path)
    compile(mutated.read_text(encoding="utf-8"), mutation.file, "exec")


def test_a_mutation_that_no_longer_applies_is_an_error(tmp_path):
    mutation = MUTATIONS[0]
    (tmp_path / mutation.file).parent.mkdir(parents=True)
    (tmp_path / mutation.file).write_text("rewritten = True\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="stands 0 times"):
        mutation.apply(tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("notebook", tried(CHECKS, str, lambda _: False))
def test_the_package_as_it_is_passes_the_notebooks_checks(notebook, weights, tmp_path):
    """In `make test` test_notebooks.py shows that."""
    assert refusal(copy_of_the_project(tmp_path), notebook, weights) == ""


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("mutation", tried(MUTATIONS, lambda each: each.name, lambda each: each.always))
def test_a_mistake_in_the_package_is_refused(mutation, weights, tmp_path):
    project = copy_of_the_project(tmp_path)
    mutation.apply(project / PACKAGE)
    found = refusal(project, mutation.notebook, weights)
    assert found, f"{mutation.name} goes unnoticed"
    assert re.search(mutation.because, found), f"{mutation.name} is refused, but for another reason: {found}"

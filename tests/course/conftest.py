"""The network as torch has it, for the lessons that look into it."""

import pytest
from support.project import trained_or_skip

from resnet18_lab.model.network import load_model


@pytest.fixture(scope="module")
def network():
    return load_model("untrained").module


@pytest.fixture(scope="module")
def trained():
    return load_model(trained_or_skip()).module

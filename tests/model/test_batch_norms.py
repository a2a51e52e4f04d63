"""Folded batch norms: found, restored without changing an answer, and fit to be trained then."""

import pytest

torch = pytest.importorskip("torch")

from resnet18_lab.model.batch_norms import are_folded, batch_norms, restore_statistics  # noqa: E402
from resnet18_lab.model.network import load_model  # noqa: E402


@pytest.fixture
def folded():
    """The untrained network with other weights and biases in its norms, folded as weights for inference are."""
    module = load_model("untrained").module
    torch.manual_seed(1)
    with torch.no_grad():
        for norm in batch_norms(module):
            norm.weight.uniform_(0.3, 1.2)
            norm.bias.uniform_(-0.3, 0.3)
            norm.running_mean.zero_()
            norm.running_var.fill_(1.0 - norm.eps)
    return module


def batches():
    torch.manual_seed(0)
    return [torch.randn(8, 3, 64, 64) for _ in range(4)]


@torch.no_grad()
def test_outputs_stay_and_statistics_are_those_of_the_inputs(folded):
    given = batches()
    before = [folded(batch) for batch in given]
    assert are_folded(folded)
    restore_statistics(folded, given)
    assert not are_folded(folded)
    for batch, expected in zip(given, before, strict=True):
        assert (folded(batch) - expected).abs().max() <= 1e-4 * expected.abs().max()
    seen = torch.cat([folded.conv1(batch) for batch in given])
    torch.testing.assert_close(folded.bn1.running_mean, seen.mean((0, 2, 3)), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(folded.bn1.running_var, seen.var((0, 2, 3), correction=0), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_training_mode_answers_nearly_the_same_once_restored(folded):
    """The trap: as published, training mode normalises once more, and the answers are others."""
    given = batches()
    everything = torch.cat(given)
    expected = folded(everything)

    def far():
        return float((folded.train()(everything) - expected).norm() / expected.norm())

    trapped = far()
    folded.eval()
    with torch.no_grad():
        for norm in batch_norms(folded):
            norm.running_mean.zero_()
            norm.running_var.fill_(1.0 - norm.eps)
    restore_statistics(folded, given)
    assert far() < 0.05
    assert trapped > 0.3


def test_networks_with_statistics_are_not_folded():
    module = load_model("untrained").module
    with torch.no_grad():
        for norm in batch_norms(module):
            norm.running_mean.normal_()
    assert not are_folded(module)
    assert not are_folded(torch.nn.Linear(2, 2))

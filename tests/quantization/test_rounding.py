"""What layer-wise rounding measures of a layer's inputs."""

import pytest
import torch

from resnet18_lab.quantization import rounding


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "padding"), [(56, 3, 1, 1), (56, 1, 2, 0), (9, 3, 2, 1), (7, 3, 1, 1)]
)
def test_positions_are_foretold_and_covariances_nobody_needs_are_left_out(side, kernel, stride, padding):
    layer = rounding.Layer(torch.randn(4, 2, kernel, kernel), torch.zeros(4), stride, padding)
    pictures = torch.randn(3, 2, side, side)
    drawn = [min(1000, layer.columns(picture[None]).shape[1]) for picture in pictures]
    assert rounding.sampled_positions(layer, pictures) == sum(drawn)
    pairs = [(picture[None], picture[None]) for picture in pictures]
    both, one = (
        rounding.measure(layer, pairs, torch.Generator().manual_seed(0), crossed=crossed) for crossed in (True, False)
    )
    assert one.cross is None
    torch.testing.assert_close(both.cross, both.gram)
    torch.testing.assert_close(one.gram, both.gram, rtol=0, atol=0)

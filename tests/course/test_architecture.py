import json
import re
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.base.samples import load_samples
from resnet18_lab.cli.main import main as run_main
from resnet18_lab.course.architecture import conclusions, figures, folding, skip_connections
from resnet18_lab.course.architecture.gradients import gradient_maps, proved_fields, side_holding
from resnet18_lab.export.parity import FP32_TOLERANCE, measure
from resnet18_lab.model import inspection, receptive_field, stage_times
from resnet18_lab.model.stage_times import StageTimes
from resnet18_lab.preprocessing.reference import reference_batch

# Size of the receptive field of the middle layers, from r += (k - 1) · step; step *= s by hand.
FIELDS = {"conv1": 7, "maxpool": 11, "layer1": 43, "layer2": 99, "layer3": 211, "layer4": 435}
BLOCKS = [f"layer{stage}.{block}" for stage in (1, 2, 3, 4) for block in (0, 1)]


@pytest.fixture(scope="module")
def layers(network):
    return inspection.layer_table(network)


@pytest.fixture(scope="module")
def inspected():
    return inspection.inspect_network("untrained", repeats=1)


@pytest.fixture(scope="module")
def pictures():
    return reference_batch()[0][:4]


def test_the_totals_are_the_published_ones(network, layers):
    totals = inspection.totals(network, layers)
    assert totals["counted"].to_dict() == {"parameters": 11_689_512, "GMACs": 1.814, "MB": 46.8}
    assert totals["equal"].all()


def test_the_layers_hold_every_parameter_of_the_network_once(network, layers):
    assert int(layers["parameters"].sum()) == sum(parameter.numel() for parameter in network.parameters())


def test_macs_of_one_layer_agree_with_the_count_by_hand(layers):
    macs = layers.set_index("layer")["macs"]
    assert macs["conv1"] == 112 * 112 * 64 * 3 * 7 * 7
    assert macs["layer2.0.downsample.0"] == 28 * 28 * 128 * 64
    assert macs["fc"] == 512 * 1000
    assert macs["bn1"] == 0


def test_a_layer_in_place_writes_no_new_activations(layers):
    by_kind = layers.groupby("kind")["activation_bytes"].sum()
    assert by_kind["ReLU"] == 0
    assert by_kind["Linear"] == 4 * 1000


def test_the_layer_table_leaves_no_hooks_behind(network):
    inspection.layer_table(network)
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in network.modules())


def test_the_stage_table_has_six_stages_and_shares_that_sum_to_one(inspected):
    stages = inspected.stages
    assert list(stages.index) == ["stem", "layer1", "layer2", "layer3", "layer4", "head"]
    assert {"output", "parameters", "macs", "activation_bytes", "ms", "time_share", "macs_share"} <= set(stages)
    assert stages["output"].to_list()[1:5] == [(64, 56, 56), (128, 28, 28), (256, 14, 14), (512, 7, 7)]
    for column in ("time_share", "macs_share", "parameter_share"):
        assert stages[column].sum() == pytest.approx(1.0)


def test_without_times_the_stage_table_has_no_time(layers):
    assert "ms" not in inspection.stage_table(layers)
    assert "time" not in inspection.readable(inspection.stage_table(layers))


def test_the_18_counts_the_convolutions_on_the_main_way_and_the_linear_layer(layers):
    assert list(inspection.counted_layers(layers).values()) == [20, 17, 3, 1, 18]


@pytest.mark.parametrize(("stem_ms", "verb"), [(1.0, "does not dominate"), (99.0, "dominates")])
def test_the_conclusions_follow_the_numbers(layers, stem_ms, verb):
    times = {"stem": stem_ms, "layer1": 2.0, "layer2": 2.0, "layer3": 2.0, "layer4": 3.0, "head": 0.5}
    stages = inspection.stage_table(layers, times)
    counted, timed = inspection.conclusions(stages)
    slowest = max(times, key=times.get)
    assert counted.said.startswith("The stem does 6.5% of the MACs; the largest part is layer1 (25.5%).")
    assert counted.said.endswith("layer4 holds 72% of the parameters.")
    assert f"The stem {verb} the time: it takes {stages['time_share']['stem']:.0%}" in timed.said
    assert f"{slowest} takes longest ({stages['time_share'].max():.0%})." in timed.said
    early = stages["time_share"][["stem", "layer1"]].sum()
    assert f"take {early:.0%}, {'more' if early > 0.5 else 'not more'} than half" in timed.said


def stage_times_of(*layer4: float, cpu_share: float = 1.0) -> StageTimes:
    """Passes in which only the last stage's time differs."""
    passes = [{"stem": 1.0, "layer1": 3.0, "layer2": 2.0, "layer3": 2.0, "layer4": ms, "head": 0.1} for ms in layer4]
    return StageTimes(pd.DataFrame(passes), 2, cpu_share)


def test_what_single_passes_do_not_agree_on_is_not_concluded(layers):
    def said(times):
        return inspection.conclusions(inspection.stage_table(layers, times.milliseconds), times)[1]

    assert "layer4 takes longest" in said(stage_times_of(*[4.0] * 40)).said
    assert "too near to say which" in said(stage_times_of(*[3.1, 2.9] * 20)).said
    starved = said(stage_times_of(*[4.0] * 40, cpu_share=0.5))
    assert "50% of the CPU time they asked for" in starved.withheld
    assert "does not dominate" not in str(starved)
    assert "interquartile range" in said(stage_times_of(*[4.0, 40.0] * 20)).withheld


def test_every_stage_is_timed_in_every_pass_and_the_threads_are_read_back(network, pictures):
    before = torch.get_num_threads()
    times = stage_times.stage_times(network, pictures, repeats=2, threads=1)
    torch.set_num_threads(before)
    assert times.passes.shape == (2 * stage_times.PASSES, 6)
    assert (times.passes > 0).all(axis=None)
    assert times.threads == 1
    assert "1 thread" in str(times)


def test_no_repeats_are_refused(network, pictures):
    with pytest.raises(ParameterError, match="give 1 or more"):
        stage_times.stage_times(network, pictures, repeats=0)


def test_times_that_lie_far_apart_or_lacked_the_cores_are_called_noisy(inspected):
    steady = inspected.times.passes.assign(**dict.fromkeys(inspected.times.passes, 1.0))
    assert not stage_times.StageTimes(steady, 2, 0.95).noisy
    assert stage_times.StageTimes(steady, 2, 0.5).noisy
    shaken = steady.mul(np.linspace(1, 9, len(steady)), axis=0)
    assert "NOISY" in str(stage_times.StageTimes(shaken, 2, 0.95))


def test_receptive_fields_are_those_of_the_formula_by_hand(layers):
    fields = receptive_field.receptive_fields(layers)
    assert fields["size"].to_dict() == FIELDS
    assert fields["step"].to_list() == [2, 4, 4, 8, 16, 32]


def test_the_gradient_reaches_exactly_the_pixels_of_the_formula(network, layers):
    fields = receptive_field.receptive_fields(layers)
    expected = {name: receptive_field.field_of_centre(fields.loc[name]) for name in FIELDS}
    assert proved_fields(network) == expected
    assert expected["layer4"] == (0, 224)


def test_most_of_the_gradient_lies_in_less_than_the_field(network, layers, pictures):
    fields = receptive_field.receptive_fields(layers)
    gradient = gradient_maps(network, pictures, ["layer3"])["layer3"]
    assert side_holding(gradient, fields.loc["layer3"]) < FIELDS["layer3"]
    assert side_holding(gradient, fields.loc["layer3"], share=1.0) >= 200


def test_the_network_has_eight_residual_blocks(network):
    assert skip_connections.block_names(network) == BLOCKS


def test_cutting_changes_the_signal_behind_the_cut_and_not_before(network, pictures):
    whole = skip_connections.signal(network, pictures, BLOCKS)
    cut = skip_connections.signal(skip_connections.without_skips(network, ["layer2.1"]), pictures, BLOCKS)
    same = np.isclose(whole["rms"], cut["rms"], rtol=1e-6)
    assert same.tolist() == [True] * 4 + [False] * 5


def test_cutting_leaves_the_network_it_was_given_alone(network, pictures):
    before = skip_connections.signal(network, pictures, BLOCKS)
    skip_connections.without_skips(network)
    assert skip_connections.signal(network, pictures, BLOCKS).equals(before)
    assert skip_connections.block_names(network) == BLOCKS


def test_a_cut_block_is_its_branch_and_a_relu(network):
    block = network.get_submodule("layer1.0")
    plain = skip_connections.PlainBlock(block)
    inputs = torch.rand(1, 64, 8, 8)
    with torch.inference_mode():
        branch = block.bn2(block.conv2(torch.relu(block.bn1(block.conv1(inputs)))))
        assert torch.equal(plain(inputs), torch.relu(branch))
        assert torch.allclose(block(inputs), torch.relu(branch + inputs))


def test_trained_weights_without_their_skip_connections_see_pictures_alike_and_answer_wrong(trained):
    photographs = reference_batch()[0]
    cut = skip_connections.without_skips(trained)
    whole_signal, cut_signal = (skip_connections.signal(each, photographs[:6], BLOCKS) for each in (trained, cut))
    assert cut_signal["likeness"].iloc[-1] > whole_signal["likeness"].iloc[-1] + 0.2
    assert "difference between pictures" in str(conclusions.signal(whole_signal, cut_signal, 6)) or (
        "signal and difference" in str(conclusions.signal(whole_signal, cut_signal, 6))
    )
    assert "does not make them more alike" in str(conclusions.signal(whole_signal, whole_signal, 6))
    same = np.equal(skip_connections.answers(trained, photographs), skip_connections.answers(cut, photographs))
    assert same.sum() <= len(load_samples()) // 2


def test_blocks_differ_in_how_much_they_need_their_skip_connection(trained, pictures):
    kept = skip_connections.cut_one_at_a_time(trained, pictures)
    assert list(kept.index) == BLOCKS
    assert kept.min() < kept.max() <= len(pictures)
    assert skip_connections.branch_over_skip(trained, pictures).idxmax() == "layer4.1"


def test_both_networks_begin_with_the_same_gradient_behind_the_last_block(network, pictures):
    classes = [0] * len(pictures)
    whole = skip_connections.gradient_norms(network, pictures, BLOCKS, classes)
    cut = skip_connections.gradient_norms(skip_connections.without_skips(network), pictures, BLOCKS, classes)
    assert whole["layer4.1"].tolist() == pytest.approx(cut["layer4.1"].tolist())
    assert (whole["stem"] > 2 * cut["stem"]).all()  # untrained, in eval mode: no batch statistics to keep it alive
    assert "weakens" in conclusions.gradient(whole, cut, "here").said
    assert "strengthens" in conclusions.gradient(cut, whole, "here").said
    assert (
        "no difference shown"
        in conclusions.gradient(whole, whole * np.resize([1.2, 0.8], (len(whole), 1)), "here").said
    )


def test_eight_blocks_decide_only_where_hardly_another_order_is_as_clear():
    kept = pd.Series([1, 0, 1, 1, 9, 0, 5, 9], BLOCKS)
    assert "too few to say" in conclusions.need(kept, pd.Series(range(8), BLOCKS), 11).said
    assert "keep more answers" in conclusions.need(pd.Series(range(8), BLOCKS), pd.Series(range(8), BLOCKS), 11).said
    assert "keep fewer answers" in conclusions.need(pd.Series(range(8), BLOCKS), -pd.Series(range(8), BLOCKS), 11).said
    assert "same number" in conclusions.need(pd.Series([11] * 8, BLOCKS), pd.Series(range(8), BLOCKS), 11).said


@pytest.mark.parametrize("which", ["network", "trained"])
def test_folding_the_batch_norms_changes_no_logit_beyond_float32(which, request):
    module = request.getfixturevalue(which)
    folded = folding.without_batch_norms(module)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in folded.modules())
    agreement = measure(lambda batch: folded(torch.from_numpy(batch)).detach().numpy(), module, (7,))
    assert agreement.relative <= FP32_TOLERANCE


def test_folding_uses_the_running_statistics_of_the_norm():
    torch.manual_seed(0)
    convolution, norm = nn.Conv2d(3, 5, 3, bias=False), nn.BatchNorm2d(5).eval()
    for tensor in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
        tensor.uniform_(0.5, 2.0)
    inputs = torch.randn(2, 3, 9, 9)
    with torch.inference_mode():
        assert torch.allclose(folding.fold(convolution, norm)(inputs), norm(convolution(inputs)), atol=1e-5)


def test_untrained_figures_say_so_and_charts_are_png(network, inspected, layers, pictures):
    fields = receptive_field.receptive_fields(layers)
    gradients = gradient_maps(network, pictures, ["layer1", "layer2"])
    crop = np.zeros((224, 224, 3), np.uint8)
    strength = skip_connections.signal(network, pictures, BLOCKS)["rms"]
    charts = [
        figures.residual_blocks(network, ["layer1.0", "layer2.0"], "untrained"),
        figures.stage_shares(inspected.stages, "untrained"),
        figures.with_and_without([("rms", strength, strength, True), ("x", strength, strength, False)], "untrained"),
    ]
    photograph = figures.fields_seen(crop, fields, gradients, "untrained")
    assert all("UNTRAINED" in figure.get_suptitle() for figure in [*charts, photograph])
    assert all(chart._repr_png_() for chart in charts)
    assert photograph._repr_jpeg_()


def _inspect(monkeypatch, capsys, *arguments, width="120"):
    monkeypatch.setenv("COLUMNS", width)
    monkeypatch.setattr(
        sys, "argv", ["resnet18-lab", "inspect", "--weights", "untrained", "--repeats", "1", *arguments]
    )
    return run_main(), capsys.readouterr()


def test_inspect_prints_the_table_with_its_sum_and_the_conclusion(monkeypatch, capsys):
    status, (out, err) = _inspect(monkeypatch, capsys)
    assert status == 0
    assert re.search(r"sum\s+11,689,512\s+1,814.1 M\s+100.0%", out)
    assert "The stem does" in " ".join(out.split())
    assert "UNTRAINED" in err
    assert "thread" in err


def test_inspect_gives_exact_numbers_as_json(monkeypatch, capsys):
    status, (out, _) = _inspect(monkeypatch, capsys, "--json")
    assert status == 0
    found = json.loads(out)
    assert found["weights"] == "untrained"
    assert sum(stage["parameters"] for stage in found["stages"]) == 11_689_512
    assert sum(stage["macs"] for stage in found["stages"]) == 1_814_073_344
    assert found["receptive_field"] == FIELDS
    assert all(row["equal"] for row in found["totals"].values())


def test_inspect_on_a_narrow_terminal_leaves_columns_out_and_says_which(monkeypatch, capsys):
    _, (out, err) = _inspect(monkeypatch, capsys, width="40")
    assert "left out: output" in err
    table = out.split("\n\n")[0].splitlines()
    assert len(table) == 8
    assert all(len(line) <= 40 for line in table)

import pytest

from resnet18_lab import labels
from resnet18_lab._torchvision import torchvision
from resnet18_lab.errors import ParameterError


def test_there_are_a_thousand_labels_in_order_of_index_and_wnid():
    every = labels.all_labels()
    assert [label.index for label in every] == list(range(1000))
    wnids = [label.wnid for label in every]
    assert wnids == sorted(set(wnids))


def test_english_names_are_torchvisions_categories():
    categories = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.meta["categories"]
    assert [label.en for label in labels.all_labels()] == categories


def test_a_label_is_found_by_index_and_by_wnid():
    assert labels.by_index(281) == labels.by_wnid("n02123045")
    assert labels.by_index(281).en == "tabby"


@pytest.mark.parametrize("index", [-1, 1000])
def test_an_index_outside_the_classes_is_refused(index):
    with pytest.raises(ParameterError, match="0 to 999"):
        labels.by_index(index)


def test_an_unknown_wnid_is_refused():
    with pytest.raises(ParameterError, match="n00000000"):
        labels.by_wnid("n00000000")


def test_search_ignores_case_and_finds_parts_of_names():
    assert {264, 474} <= {label.index for label in labels.search("CARDIGAN")}
    assert labels.search("n02123045")[0].index == 281
    assert 281 in [label.index for label in labels.search("281")]


def test_an_empty_search_finds_nothing():
    assert labels.search("  ") == []

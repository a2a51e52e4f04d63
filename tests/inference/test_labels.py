import re
from pathlib import Path

import pytest

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.inference import labels
from resnet18_lab.model.torchvision import torchvision


def test_there_are_a_thousand_labels_in_order_of_index_and_wnid():
    every = labels.all_labels()
    assert [label.index for label in every] == list(range(1000))
    wnids = [label.wnid for label in every]
    assert wnids == sorted(set(wnids))


def test_english_names_are_torchvisions_categories():
    categories = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.meta["categories"]
    assert [label.en for label in labels.all_labels()] == categories


def test_a_label_is_found_by_index_and_by_wnid():
    assert labels.by_index(281).wnid == "n02123045"
    assert labels.by_index(281).en == "tabby"


@pytest.mark.parametrize("index", [-1, 1000])
def test_an_index_outside_the_classes_is_refused(index):
    with pytest.raises(ParameterError, match="0 to 999"):
        labels.by_index(index)


def test_search_ignores_case_and_finds_parts_of_names():
    assert {264, 474} <= {label.index for label in labels.search("CARDIGAN")}
    assert labels.search("n02123045")[0].index == 281
    assert 281 in [label.index for label in labels.search("281")]


def test_an_empty_search_finds_nothing():
    assert labels.search("  ") == []


ZH = [label.zh for label in labels.all_labels()]
CJK = re.compile("[\u3400-\u9fff]")
RARE = set("㹴䴕狆獴羱蠵鱥鲀鲉鸮鹀鹟")  # simplified characters of species names that GB 2312 left out


def test_chinese_names_are_unique_and_clean():
    assert len(set(ZH)) == 1000
    assert all(name == name.strip() and name and not set(name) & set(" ,\"'\t;") for name in ZH)


def test_every_chinese_name_has_a_chinese_character_but_the_ipod():
    assert [index for index, name in enumerate(ZH) if not CJK.search(name)] == [605]


def in_gb2312(character: str) -> bool:
    """GB 2312 holds the simplified forms and not the traditional ones that differ from them."""
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def test_chinese_names_are_in_simplified_script():
    others = {character for name in ZH for character in name if not in_gb2312(character)}
    assert others == RARE


def test_the_check_of_the_script_knows_a_traditional_character():
    assert not any(in_gb2312(character) for character in "貓馬龜車")


GOLDEN = {
    0: "丁鱥",
    207: "金毛寻回犬",
    281: "虎斑猫",
    388: "大熊猫",
    817: "跑车",
    967: "意式浓缩咖啡",
    970: "高山",
    999: "卫生纸",
}
NEAR = {
    264: "卡迪根威尔士柯基犬",
    474: "开襟羊毛衫",
    134: "鹤",
    517: "起重机",
    657: "导弹",
    744: "抛射物",
    76: "捕鸟蛛",
    77: "狼蛛",
    288: "豹",
    290: "美洲豹",
}


@pytest.mark.parametrize(("index", "name"), [*GOLDEN.items(), *NEAR.items()])
def test_a_reference_name_is_as_agreed(index, name):
    assert labels.by_index(index).zh == name


@pytest.mark.parametrize(("one", "other"), [(638, 639), (836, 837), (620, 681), (281, 282), (461, 524), (748, 893)])
def test_near_classes_have_names_that_tell_them_apart(one, other):
    assert ZH[one] != ZH[other]


def known_errors():
    lines = (Path(__file__).parent / "known_label_errors.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return [(int(index), wrong.split(";")) for index, wrong in (line.split("\t") for line in lines)]


@pytest.mark.parametrize(
    ("index", "wrong"), known_errors(), ids=lambda value: str(value) if isinstance(value, int) else ""
)
def test_a_name_is_none_of_the_errors_in_circulation(index, wrong):
    assert ZH[index] not in wrong


def test_search_works_in_chinese():
    assert 281 in [label.index for label in labels.search("虎斑")]
    assert labels.search("意式浓缩咖啡")[0].index == 967


def test_names_near_to_a_mistyped_one_are_found():
    assert "espresso" in labels.nearest("expresso")
    assert "大熊猫" in labels.nearest("大熊描")

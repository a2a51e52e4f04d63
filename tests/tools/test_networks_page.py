"""The page of networks follows from its record, and the record shows what README says of them."""

from support.project import tool

from resnet18_lab.base.networks import NETWORKS
from resnet18_lab.benchmark.kept_records import read_record

MOST_LOST = 0.02
"""Share of the pictures that INT8 may cost on balance."""


def rows():
    record = read_record(tool("pages/networks").RECORD)
    return {(row["network"], row["precision"]): row for row in record["rows"]}


def test_the_page_is_what_the_kept_record_gives():
    pages = tool("pages/networks")
    assert pages.PAGE.read_text(encoding="utf-8") == pages.page(read_record(pages.RECORD)), (
        "run tools/pages/networks.py"
    )


def test_every_row_is_of_a_known_network_and_was_timed_as_often():
    measured = rows()
    assert {name for name, _ in measured} <= set(NETWORKS)
    assert len({len(row["seconds"]) for row in measured.values()}) == 1


def test_int8_that_costs_more_than_two_points_is_no_default():
    for (name, precision), row in rows().items():
        if precision == "INT8":
            lost = row["paired"]["lost"] - row["paired"]["won"]
            assert NETWORKS[name].int8_default == (lost <= MOST_LOST * row["top1"]["of"]), name
            assert row["operators"].get("Conv", 0) == 0, name


def test_lite0_is_right_more_often_in_less_room():
    measured = rows()
    lite = measured["efficientnet-lite0", "INT8"]
    assert min(lite["top1"]["hits"], measured["efficientnet-lite0", "float"]["top1"]["hits"]) >= 217
    assert lite["bytes"] <= 5_300_000

"""docs/scaling.md says what its record says."""

import json

import conftest

tool = conftest.tool("make_scaling")


def test_the_page_is_what_the_kept_record_gives():
    record = json.loads(tool.RECORD.read_text(encoding="utf-8"))
    assert tool.PAGE.read_text(encoding="utf-8") == tool.page(record), "run tools/make_scaling.py"
    assert [row["nodes"] for row in record["cluster"]] == [1, 2]
    assert all(row["rate"] > 0 for row in record["cluster"]), "too few pictures: the start drowns the rate"

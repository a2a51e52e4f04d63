"""How many cores this process may use: the least quota along the way of its control group."""

import pytest

from resnet18_lab.base import machine


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Control groups made of files, and what /proc/self/cgroup says."""
    (tmp_path / "fs").mkdir()
    monkeypatch.setattr(machine, "_CGROUPS", tmp_path / "fs")
    monkeypatch.setattr(machine, "_OWN_GROUPS", tmp_path / "self")

    def make(own, **files):
        (tmp_path / "self").write_text(own, encoding="utf-8")
        for name, text in files.items():
            path = tmp_path / "fs" / name.replace("__", "/").replace("DOT", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="ascii")

    return make


def test_without_a_quota_there_is_none(groups):
    groups("0::/user.slice\n", **{"cpuDOTmax": "max 100000\n"})
    assert machine.cgroup_quota() is None
    assert machine.cgroup_source() is None


def test_a_quota_at_the_root_counts(groups):
    groups("0::/\n", **{"cpuDOTmax": "100000 100000\n"})
    assert machine.cgroup_quota() == 1.0
    assert machine.usable_cores() == 1


def test_the_least_quota_along_the_path_counts(groups):
    groups(
        "0::/a/b/c\n",
        **{"a__cpuDOTmax": "400000 100000", "a__b__cpuDOTmax": "150000 100000", "a__b__c__cpuDOTmax": "max 100000"},
    )
    assert machine.cgroup_quota() == 1.5
    assert machine.cgroup_source().endswith("a/b")


def test_version_one_counts_along_its_own_path(groups):
    groups(
        "7:memory:/other\n4:cpu,cpuacct:/job/step\n",
        **{
            "cpu__job__cpuDOTcfs_quota_us": "-1", "cpu__job__cpuDOTcfs_period_us": "100000",
            "cpu__job__step__cpuDOTcfs_quota_us": "200000", "cpu__job__step__cpuDOTcfs_period_us": "100000",
        },
    )  # fmt: skip
    assert machine.cgroup_quota() == 2.0


def test_what_cannot_be_read_is_no_quota(groups):
    groups("0::/a\n", **{"a__cpuDOTmax": "nonsense"})
    assert machine.cgroup_quota() is None

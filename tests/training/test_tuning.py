"""Which round a run ends with, and when it stops."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from resnet18_lab.training.tuning import Round, Schedule, Tuning  # noqa: E402


class Rows:
    """Vectors as they are."""

    def __init__(self, values):
        self.values = torch.from_numpy(values)

    def batch(self, choice, random):
        return self.values[choice.pictures]

    def plain(self, positions):
        return self.values[list(positions)]


def run_on_clouds(tmp_path, **schedule):
    random = np.random.default_rng(0)
    labels = np.arange(200) % 2
    values = (labels[:, None] * 2.0 + random.normal(size=(200, 4))).astype(np.float32)[:, :, None, None]
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Conv2d(4, 8, 1), torch.nn.ReLU(), torch.nn.Flatten(1), torch.nn.Linear(8, 2))
    positions = list(range(200))
    return Tuning(
        module, Rows(values), labels.astype(np.int64), positions[:150], positions[150:],
        schedule=Schedule(**schedule), weights=np.ones(2, np.float32), folder=tmp_path, identity={"schedule": repr(schedule)},
    )  # fmt: skip


def with_curve(tmp_path, *hits):
    run = run_on_clouds(tmp_path)
    run.curve = [Round(place, 0.0, None, count, 0.5) for place, count in enumerate(hits)]
    return run


def test_it_learns_and_ends_with_the_average_of_the_best_round(tmp_path):
    run = run_on_clouds(tmp_path, epochs=6, rate=0.05)
    seen = []
    assert run.run(seen.append)
    assert [one.epoch for one in seen] == list(range(7))
    assert seen[-1].hits > seen[0].hits
    run.average.load_state_dict(run.best)
    assert (run.answers() == np.arange(150, 200) % 2).sum() == run.curve[run.best_round].hits


def test_the_same_seed_gives_the_same_weights_also_when_it_was_ended_in_between(tmp_path):
    whole = run_on_clouds(tmp_path / "a", epochs=4)
    whole.run()

    def cut_at(share):
        if share >= 0.5:
            raise KeyboardInterrupt

    ended = run_on_clouds(tmp_path / "b", epochs=4)
    assert not ended.run(progress=cut_at)
    again = run_on_clouds(tmp_path / "b", epochs=4)
    assert again.resume()
    assert again.run()
    for name, values in whole.best.items():
        torch.testing.assert_close(again.best[name], values, rtol=0, atol=0)


def test_a_later_round_is_kept_unless_an_earlier_one_was_better_beyond_chance(tmp_path):
    assert with_curve(tmp_path, 30, 44, 43, 42).best_round == 3
    assert with_curve(tmp_path, 30, 48, 36, 35).best_round == 1


def test_it_stops_when_rounds_have_become_worse(tmp_path):
    assert not with_curve(tmp_path, 30, 48, 36, 35).ended
    assert with_curve(tmp_path, 30, 48, 36, 35, 34).ended
    assert not with_curve(tmp_path, 30, 44, 43, 42, 42).ended


def test_a_run_of_other_pictures_is_not_taken_up(tmp_path):
    from resnet18_lab.base.errors import ParameterError

    run_on_clouds(tmp_path, epochs=1).run()
    other = run_on_clouds(tmp_path, epochs=2)
    with pytest.raises(ParameterError, match="of another run"):
        other.resume()


def test_rates_rise_then_fall():
    schedule = Schedule(rate=1.0)
    assert schedule.rate_at(0.0) < schedule.rate_at(0.04) < schedule.rate_at(0.06)
    assert schedule.rate_at(1.0) == pytest.approx(0.0)

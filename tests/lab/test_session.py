import math

import pytest
import torch

import circuits as cc
from circuits.errors import DataError, FrequencyError, OptionError, ShapeError, UnknownName
from circuits.lab import Session
from circuits.lab.dialogue.observing import Look, Observation
from circuits.lab.dialogue.posterior import Posterior

LADDER = "ladder\nV1 in 0 AC 1\nR1 in a 200 ; @learn\nC1 a 0 1u\nR2 a out 400\nC2 out 0 1u\n"


def organ():
    return cc.ColorOrgan(low=200.0, band=(40.0, 160.0), high=32.0)


def true_organ():
    return cc.ColorOrgan(low=331.0, band=(31.0, 187.0), high=47.0)


def lit(board, tone):
    return (board(tone) > 0.5**0.5).tolist()


def play(session, board, most=60, answer=lit):
    while not session.done and len(session.observations) < most:
        tone = session.propose()
        session.tell(tone, answer(board, tone))
    return session


def played(session, board, count):
    for _ in range(count):
        tone = session.propose()
        session.tell(tone, lit(board, tone))
    return session


# what it finds


def test_an_organ_is_known_to_a_percent_within_forty_tones():
    session = play(Session(organ()), true_organ())
    assert session.good and not session.stuck
    assert len(session.observations) <= 40
    for name, one in session.state().items():
        truth = true_organ().get_parameter(name).item()
        assert one.low <= truth <= one.high
        assert one.middle == pytest.approx(truth, rel=0.01)


def test_the_first_tone_is_the_toss_of_a_coin_and_each_halves_what_is_left():
    session = Session(cc.LowPass(R=500.0), jitter=1e-4, mistakes=0.0)
    widths = []
    for _ in range(6):
        assert session.choice.expected[0] == pytest.approx(0.5, abs=0.05)
        played(session, cc.LowPass(R=777.0), 1)
        one = session.state()["R"]
        widths.append(math.log(one.high / one.low))
    prior = 0.95 * math.log(100.0)
    assert widths == pytest.approx([prior / 2**n for n in range(1, 7)], rel=0.15)


def test_the_swarm_is_the_posterior_that_a_grid_gives():
    look, tones = Look("led", jitter=0.05, mistakes=0.01), [150.0, 800.0, 300.0, 480.0, 400.0, 440.0]
    posterior = Posterior(cc.LowPass(R=500.0), look, size=4000)
    log_R = torch.linspace(math.log(50.0), math.log(5000.0), 20001, dtype=torch.float64)
    weight = torch.zeros_like(log_R)
    for tone, seen in zip(tones, [1.0, 0.0, 1.0, 0.0, 1.0, 1.0], strict=True):
        posterior.tell(Observation(tone, (seen,)))
        magnitude = cc.LowPass(R=log_R.exp()).magnitude([tone])[:, 0].detach()
        u = (math.pi / math.sqrt(3) / 0.05) * (magnitude * math.sqrt(2)).log()
        chance = 0.01 + 0.98 / (1 + torch.exp(-u))
        weight += (chance if seen else 1 - chance).log()
    heaped = torch.softmax(weight, 0).cumsum(0)
    shares = [0.05, 0.25, 0.5, 0.75, 0.95]
    exact = [log_R[int((heaped < share).sum())].exp().item() for share in shares]
    assert posterior.quantiles(shares)[0].tolist() == pytest.approx(exact, rel=0.015)


def test_a_reading_weighs_as_gauss_says():
    posterior = Posterior(cc.LowPass(R=500.0), Look("magnitude", sigma=0.002, mistakes=0.0), size=4000)
    truth = cc.LowPass(R=432.0)
    for tone in (300.0, 700.0):
        posterior.tell(Observation(tone, (truth(tone).item(),)))
    x = 2 * math.pi * torch.tensor([300.0, 700.0]) * 432e-6
    sigma = float(1 / ((x**2 / (1 + x**2) ** 1.5 / 0.002).square().sum()).sqrt())
    low, middle, high = (posterior.quantiles([0.16, 0.5, 0.84])[0] / 432.0).log().tolist()
    assert middle == pytest.approx(0.0, abs=0.2 * sigma)
    assert (high - low) / 2 == pytest.approx(sigma, rel=0.12)


@pytest.mark.parametrize("wrong", [2, 5, 8])
def test_one_wrong_answer_costs_tones_and_not_the_truth(wrong):
    board, session = cc.LowPass(R=777.0), Session(cc.LowPass(R=500.0))

    def answer(board, tone):
        return lit(board, tone) != (len(session.observations) == wrong)

    play(session, board, answer=answer)
    assert session.good
    assert session.state()["R"].middle == pytest.approx(777.0, rel=0.015)
    assert len(session.observations) < 40


def test_readings_serve_as_well_as_leds():
    noise = torch.Generator().manual_seed(4)

    def answer(board, tone):
        return (board.decibels(tone) + 0.1 * torch.randn(3, generator=noise, dtype=torch.float64)).tolist()

    session = play(Session(organ(), readings="decibels", sigma=0.1, until=0.02), true_organ(), answer=answer)
    assert session.good
    for name, one in session.state().items():
        assert one.middle == pytest.approx(true_organ().get_parameter(name).item(), rel=0.03)


def test_a_netlist_is_a_circuit_like_any_other():
    session = play(Session(cc.read_netlist(LADDER)), cc.read_netlist(LADDER, values={"R1": 317.0}))
    assert session.state()["R1"].middle == pytest.approx(317.0, rel=0.01)
    assert session.fitted().get_parameter("R1").item() == session.state()["R1"].middle


def test_where_only_a_product_can_be_known_it_says_so_and_what_would_help():
    board = cc.LowPass(R=300.0)
    board.C.requires_grad_()
    session = play(Session(board), cc.LowPass(R=500.0, C=0.9e-6))
    assert session.stuck and session.done and not session.good
    assert session.open == ("R", "C")
    assert "the impedance Z(in) would tell R and C" in session.hints()
    R, C = session.posterior.values(session.posterior.x).T
    assert (R * C).log().std().item() < 0.01 and (R * C).median().item() == pytest.approx(4.5e-4, rel=0.01)


def test_a_band_that_never_lights_is_given_up_with_a_hint():
    session = play(Session(cc.BandPass(R_low=100.0, R_high=160.0)), cc.BandPass(R_low=100.0, R_high=100.0))
    assert session.stuck
    assert session.hints()[0].startswith("a reading of the magnitude, in place of the LED, would tell")


def test_one_seed_is_one_session():
    first, second = (played(Session(organ(), seed=5), true_organ(), 4) for _ in range(2))
    assert [one.tone for one in first.observations] == [one.tone for one in second.observations]
    assert first.state() == second.state()


def test_tones_stay_within_what_can_be_played():
    session = played(Session(organ(), low=300.0, high=2000.0), true_organ(), 5)
    assert all(300.0 <= one.tone <= 2000.0 for one in session.observations)


# what it is told


def test_answers_come_in_any_shape():
    session = Session(organ())
    session.tell(1000.0, {"band": True})
    session.tell(2000.0, [1, None, 0])
    session.tell(3000.0, torch.tensor([1.0, 0.0, 1.0]))
    seen = [one.values for one in session.observations]
    assert seen == [(None, 1.0, None), (1.0, None, 0.0), (1.0, 0.0, 1.0)]


@pytest.mark.parametrize(
    ("tone", "seen", "error"),
    [
        (1e3, [1, 0], DataError),
        (1e3, [1, 0, 0.5], DataError),
        (1e3, [1, 0, "x"], DataError),
        (1e3, [None, None, None], DataError),
        (1e3, {"loud": 1}, UnknownName),
        (0.0, [1, 0, 0], FrequencyError),
        (math.nan, [1, 0, 0], FrequencyError),
    ],
)
def test_an_answer_that_is_none_changes_nothing(tmp_path, tone, seen, error):
    session = Session(organ(), tmp_path / "log")
    with pytest.raises(error):
        session.tell(tone, seen)
    assert session.observations == () and not (tmp_path / "log").exists()


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"until": 0.0}, OptionError),
        ({"low": 100.0, "high": 10.0}, FrequencyError),
        ({"readings": "phase"}, UnknownName),
        ({"within": 0.0}, OptionError),
        ({"within": {"R9": (1.0, 2.0)}}, UnknownName),
        ({"within": {"low.R": (2.0, 1.0)}}, OptionError),
        ({"jitter": 0.0}, OptionError),
        ({"mistakes": 0.6}, OptionError),
        ({"circuit": cc.LowPass(R=[1.0, 2.0])}, ShapeError),
        ({"circuit": cc.read_netlist(LADDER).hold("R1")}, OptionError),
    ],
)
def test_a_session_that_cannot_be_is_refused(wrong, error):
    with pytest.raises(error):
        Session(**{"circuit": organ(), **wrong})


# its log


def test_a_session_goes_on_from_its_log_as_if_nothing_had_been(tmp_path):
    whole = played(Session(organ(), seed=3), true_organ(), 5)
    played(Session(organ(), tmp_path / "log", seed=3), true_organ(), 3)
    resumed = Session(organ(), tmp_path / "log", seed=3)
    assert len(resumed.observations) == 3 and resumed.note == ""
    played(resumed, true_organ(), 2)
    assert resumed.observations == whole.observations
    assert resumed.state() == whole.state()


def test_undo_takes_one_answer_back_for_good(tmp_path):
    session = played(Session(organ(), tmp_path / "log"), true_organ(), 3)
    before = session.state()
    session.tell(900.0, [1, 0, 0])
    assert session.undo().tone == 900.0
    assert session.state() == before
    assert Session(organ(), tmp_path / "log").observations == session.observations
    with pytest.raises(OptionError, match="nothing to undo"):
        Session(organ()).undo()


def test_a_log_cut_anywhere_loses_at_most_the_line_that_was_being_written(tmp_path):
    board, log = cc.LowPass(R=777.0), tmp_path / "log"
    played(Session(cc.LowPass(R=500.0), log), board, 3)
    content = log.read_bytes()
    ends = [i + 1 for i, byte in enumerate(content) if byte == 10]
    for cut in range(0, len(content), 7):
        log.write_bytes(content[:cut])
        session = Session(cc.LowPass(R=500.0), log)
        whole = sum(end - 1 <= cut for end in ends) - 1  # a line that lacks only its end counts
        assert len(session.observations) == max(whole, 0)
        torn = cut not in (0, *ends) and cut + 1 not in ends
        assert bool(session.note) == torn
        session.tell(1234.0, True)
        again = Session(cc.LowPass(R=500.0), log)
        assert again.note == "" and again.observations == session.observations


def test_nothing_of_a_long_torn_line_is_left_behind_the_next_one(tmp_path):
    played(Session(cc.LowPass(R=500.0), tmp_path / "log"), cc.LowPass(R=777.0), 1)
    with open(tmp_path / "log", "ab") as file:
        file.write(b'{"tone": 1' + b"0" * 500)
    session = Session(cc.LowPass(R=500.0), tmp_path / "log")
    assert "torn off" in session.note
    session.tell(1234.0, True)
    again = Session(cc.LowPass(R=500.0), tmp_path / "log")
    assert again.note == "" and again.observations == session.observations


def test_damage_elsewhere_is_refused_and_left_alone(tmp_path):
    log = tmp_path / "log"
    played(Session(cc.LowPass(R=500.0), log), cc.LowPass(R=777.0), 3)
    lines = log.read_bytes().splitlines(keepends=True)
    for wrong in (b'{"tone": 5\n', b"[1]\n", b'{"tone": 100.0, "seen": [7]}\n', b'{"seen": [1]}\n'):
        damaged = b"".join([*lines[:2], wrong, *lines[3:]])
        log.write_bytes(damaged)
        with pytest.raises(DataError, match="line"):
            Session(cc.LowPass(R=500.0), log)
        assert log.read_bytes() == damaged


def test_a_file_of_something_else_is_never_written_to(tmp_path):
    for content in (b"f_hz,magnitude\n100,0.9\n", b"f_hz", b'{"a": 1}\n', b"\xff\xfe\x00"):
        (tmp_path / "log").write_bytes(content)
        with pytest.raises(DataError, match="log"):
            Session(cc.LowPass(R=500.0), tmp_path / "log")
        assert (tmp_path / "log").read_bytes() == content


def test_the_log_of_another_session_is_refused(tmp_path):
    played(Session(cc.LowPass(R=500.0), tmp_path / "log"), cc.LowPass(R=777.0), 1)
    for other in (cc.HighPass(R=500.0), cc.LowPass(R=501.0)):
        with pytest.raises(DataError, match="is about"):
            Session(other, tmp_path / "log")
    with pytest.raises(DataError, match="readings led"):
        Session(cc.LowPass(R=500.0), tmp_path / "log", readings="decibels")


def test_an_answer_that_cannot_be_kept_is_not_taken(tmp_path):
    session = Session(cc.LowPass(R=500.0), tmp_path / "none" / "log")
    with pytest.raises(DataError, match="not kept"):
        session.tell(1000.0, True)
    assert session.observations == ()


def test_two_sessions_never_overwrite_each_other(tmp_path):
    first, second = (Session(cc.LowPass(R=500.0), tmp_path / "log") for _ in range(2))
    first.tell(1000.0, True)
    with pytest.raises(DataError, match="somebody else"):
        second.tell(2000.0, False)
    assert second.observations == ()
    first.tell(3000.0, False)
    assert Session(cc.LowPass(R=500.0), tmp_path / "log").observations == first.observations
    (tmp_path / "log").unlink()
    with pytest.raises(DataError, match="not kept"):
        first.tell(4000.0, False)


def test_an_interrupted_weighing_is_done_again(tmp_path, monkeypatch):
    session, told = Session(organ(), tmp_path / "log"), Posterior.tell

    def interrupted(self, seen):
        told(self, seen)
        raise KeyboardInterrupt

    monkeypatch.setattr(Posterior, "tell", interrupted)
    with pytest.raises(KeyboardInterrupt):
        session.tell(1000.0, [1, 0, 0])
    monkeypatch.setattr(Posterior, "tell", told)
    session.tell(2000.0, [0, 1, 0])
    calm = Session(organ(), tmp_path / "log")
    assert len(session.observations) == 2
    assert session.state() == calm.state()

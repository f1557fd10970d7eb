"""Who may sign, who waits, who works: the gate, what it feels, and the sums that it sets."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from altcha import Challenge, Payload, create_challenge, solve_challenge

from tests.conftest import Clock
from widget_server.domain.letters import Letter
from widget_server.domain.limits import read_windows
from widget_server.domain.refusals import TooMany
from widget_server.flows.gate import Gate, Mode
from widget_server.flows.limit import ClientLimit
from widget_server.flows.pressure import ARRIVALS, LASTS_SECONDS, Pressure
from widget_server.flows.work import FEWEST, MOST, Work, _derived

KEYS = ("the newest of our keys", "an older one of our keys")


class Letters:
    """Only what a gate looks at."""

    def __init__(self, id_: int, slug: str) -> None:
        self.id, self.slug = id_, slug


LETTER: Letter = Letters(1, "letter")  # type: ignore[assignment]
OTHER: Letter = Letters(2, "other")  # type: ignore[assignment]


class Seconds:
    def __init__(self) -> None:
        self.at = 1_000_000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


def solved(challenge: dict[str, Any]) -> str:
    whole = Challenge.from_dict(challenge)
    solution = solve_challenge(whole)
    assert solution is not None
    return Payload(whole, solution).to_base64()


def changed(solution: str, change: Callable[[dict[str, Any]], None]) -> str:
    document = json.loads(base64.b64decode(solution))
    change(document)
    return base64.b64encode(json.dumps(document).encode()).decode()


# The sums


@pytest.fixture
def work(clock: Clock) -> Work:
    clock.now = clock.now + timedelta(days=3650)  # the library looks at the machine's own clock as well
    return Work(KEYS, clock)


def test_a_challenge_is_as_the_protocol_wants_it(work: Work) -> None:
    challenge = work.challenge(LETTER)
    parameters = challenge["parameters"]
    assert (parameters["algorithm"], parameters["cost"], parameters["data"]) == ("SHA-256", 1, {"t": "letter"})
    assert parameters["keySignature"]
    solution = solve_challenge(Challenge.from_dict(challenge))
    assert solution is not None
    assert FEWEST <= solution.counter <= MOST
    assert work.challenge(LETTER)["parameters"]["nonce"] != parameters["nonce"]


def test_a_solution_holds_for_its_letter_and_its_time(work: Work, clock: Clock) -> None:
    solution = solved(work.challenge(LETTER))
    proof = work.verified(solution, LETTER)
    assert proof is not None
    assert proof.expires_at == (clock() + timedelta(minutes=20)).replace(microsecond=0)
    assert work.verified(solution, OTHER) is None
    clock.advance(19 * 60)
    assert work.verified(solution, LETTER) == proof
    clock.advance(61)
    assert work.verified(solution, LETTER) is None


def test_every_key_verifies_and_a_foreign_one_does_not(clock: Clock, work: Work) -> None:
    old = solved(Work(KEYS[1:], clock).challenge(LETTER))
    assert work.verified(old, LETTER) is not None
    assert work.verified(solved(Work(["somebody else's key"], clock).challenge(LETTER)), LETTER) is None
    assert Work(KEYS[1:], clock).verified(solved(work.challenge(LETTER)), LETTER) is None, "the newest makes them"


def parameter(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["challenge"]["parameters"].__setitem__(name, value)


@pytest.mark.parametrize(
    "change",
    [
        parameter("keyPrefix", ""), parameter("keyPrefix", "00"), parameter("data", {"t": "other"}),
        parameter("expiresAt", 9_999_999_999), parameter("expiresAt", None), parameter("cost", 0),
        parameter("algorithm", "SHA-512"), parameter("algorithm", "ARGON2ID"), parameter("keyLength", 1),
        parameter("keySignature", None), parameter("nonce", "00" * 16), parameter("nonce", 5),
        parameter("memoryCost", 10**9), parameter("data", "x"), parameter("data", {"__proto__": 1}),
        lambda document: document["solution"].__setitem__("derivedKey", "00" * 32),
        lambda document: document["solution"].__setitem__("derivedKey", ""),
        lambda document: document["solution"].__setitem__(
            "derivedKey", document["challenge"]["parameters"]["keyPrefix"] + "00" * 16
        ),
        lambda document: document["solution"].pop("derivedKey"),
        lambda document: document["challenge"].pop("signature"),
        lambda document: document["challenge"].__setitem__("signature", ["x"]),
        lambda document: document["challenge"].__setitem__("parameters", []),
        lambda document: document.__setitem__("solution", "x"),
    ],
)  # fmt: skip
def test_whatever_is_changed_buys_nothing(work: Work, change: Callable[[dict[str, Any]], None]) -> None:
    solution = solved(work.challenge(LETTER))
    assert work.verified(changed(solution, lambda document: None), LETTER) is not None
    assert work.verified(changed(solution, change), LETTER) is None


@pytest.mark.parametrize(
    "solution",
    [None, "", "x", "e30=", 7, ["x"], {"a": 1}, True, "\ud800", "é", "W1tb" * 400, "A" * 100_000,
     base64.b64encode(b"[" * 1200).decode(), base64.b64encode(b'{"challenge":' * 100).decode(),
     base64.b64encode(b"\xff\xfe").decode()],
)  # fmt: skip
def test_what_is_no_solution_buys_nothing(work: Work, solution: Any) -> None:
    assert work.verified(solution, LETTER) is None


def test_a_sum_of_our_own_with_other_terms_buys_nothing(work: Work, clock: Clock) -> None:
    """Should a later version seal others under the same keys."""
    secret, key_secret = _derived(KEYS[0])
    for algorithm, cost, data in (
        ("SHA-512", 1, {"t": "letter"}),
        ("SHA-256", 2, {"t": "letter"}),
        ("SHA-256", 1, None),
    ):
        made = create_challenge(
            algorithm, cost, counter=5, expires_at=clock() + timedelta(minutes=5), data=data,
            hmac_secret=secret, hmac_key_secret=key_secret,
        )  # fmt: skip
        assert work.verified(solved(made.to_dict()), LETTER) is None, (algorithm, cost, data)


def test_neither_making_nor_checking_holds_the_loop_up(work: Work) -> None:
    """One round of the hash a try, and a seal over the key that is sought, so that checking need not derive it."""
    parameters = work.challenge(LETTER)["parameters"]
    assert (parameters["algorithm"], parameters["cost"]) == ("SHA-256", 1)
    assert parameters["keySignature"]


# The gate


def gate(work: Work, seconds: Seconds, mode: Mode = "auto", windows: str = "2/minute;15/hour") -> Gate:
    return Gate(mode, ClientLimit(read_windows(windows), seconds), work, Pressure(seconds))


def asked(
    gate: Gate, solution: Any = None, *, letter: Letter = LETTER, client: str = "a", no_script: bool = False
) -> str:
    """`in`, or the code of the refusal; with ` work` where work is accepted instead."""
    try:
        gate.admit(letter, client, solution, no_script=no_script)
    except TooMany as refusal:
        told = refusal.code + (" work" if "challenge" in refusal.extra else "")
        return told if refusal.retry_after_seconds else f"{told}, and not how long to wait"
    return "in"


def test_over_the_window_one_works_up_to_ten_times(work: Work, seconds: Seconds) -> None:
    one = gate(work, seconds)
    assert [asked(one) for _ in range(3)] == ["in", "in", "too_many work"]
    solution = solved(work.challenge(LETTER))  # the store refuses the second use, not the gate
    assert [asked(one, solution) for _ in range(18)] == ["in"] * 18
    assert asked(one, solution) == "too_many"
    assert asked(one, client="b") == "in"
    seconds.at += 120
    assert asked(one) == "too_many work", "the hour is full"


def test_without_script_one_waits_and_works_never(work: Work, seconds: Seconds) -> None:
    one = gate(work, seconds, "always")
    assert [asked(one, no_script=True) for _ in range(3)] == ["in", "in", "too_many"]


def test_off_is_off(work: Work, seconds: Seconds) -> None:
    one = gate(work, seconds, "off")
    for _ in range(2 * ARRIVALS):
        one.set_aside(LETTER)
    assert [asked(one) for _ in range(3)] == ["in", "in", "too_many"]
    assert asked(one, solved(work.challenge(LETTER))) == "too_many"
    assert one.challenge(LETTER) is None


def test_always_is_always(work: Work, seconds: Seconds) -> None:
    one = gate(work, seconds, "always", "off")
    assert asked(one) == "work_needed work"
    assert asked(one, "x") == "work_needed work"
    assert asked(one, solved(work.challenge(OTHER))) == "work_needed work"
    assert asked(one, solved(work.challenge(LETTER))) == "in"


def test_what_was_refused_counts_for_nothing(work: Work, seconds: Seconds) -> None:
    one = gate(work, seconds, "always", "2/minute")
    assert [asked(one) for _ in range(5)] == ["work_needed work"] * 5
    assert asked(one, solved(work.challenge(LETTER))) == "in"


def test_a_letter_under_pressure_asks_everybody_for_ten_minutes(work: Work, seconds: Seconds) -> None:
    one = gate(work, seconds, windows="off")
    for _ in range(ARRIVALS - 1):
        one.set_aside(LETTER)
    assert asked(one) == "in"
    seconds.at += 61
    one.set_aside(LETTER)
    assert asked(one) == "in", "not within a minute"
    for _ in range(ARRIVALS):
        one.set_aside(LETTER)
    assert asked(one) == "work_needed work"
    assert asked(one, no_script=True) == "in"
    assert asked(one, letter=OTHER) == "in"
    assert asked(one, solved(work.challenge(LETTER))) == "in"
    seconds.at += LASTS_SECONDS - 1
    assert asked(one) == "work_needed work"
    seconds.at += 2
    assert asked(one) == "in"


def test_refusals_over_the_limit_are_pressure_too(work: Work, seconds: Seconds) -> None:
    one = gate(work, seconds)
    for number in range(ARRIVALS + 2):
        asked(one, no_script=number % 2 == 1)
    assert asked(one, client="b") == "work_needed work"

"""Settings: every wrong value at once, each with what is accepted; a key is made once and kept."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from widget_server.domain.refusals import Problems
from widget_server.settings import Settings, read_settings


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_defaults_need_nothing(elsewhere: Path) -> None:
    settings = read_settings()
    assert settings.database_url == "sqlite:///var/undersigned.db"
    assert settings.sender == "undersigned@127.0.0.1"
    assert [(window.number, window.seconds) for window in settings.windows] == [(10, 60), (60, 3600)]
    key = elsewhere / "var/secret.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert read_settings().secret_keys == settings.secret_keys == (key.read_text().strip(),)


def test_all_wrong_ones_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {
        "DATABASE_URL": "mysql://x/y", "SECRET_KEYS": "short", "PUBLIC_URL": "letters.example.org",
        "SMTP_URL": "mail.example.org", "MAIL_FROM": "nobody", "EGRESS_ALLOW": "10.0.0.1/8", "TRUSTED_PROXIES": "here",
        "PROOF_OF_WORK": "perhaps", "RATE_LIMIT": "ten a minute",
    }  # fmt: skip
    for name, value in wrong.items():
        monkeypatch.setenv(f"UNDERSIGNED_{name}", value)
    with pytest.raises(Problems) as refused:
        read_settings()
    assert len(refused.value.problems) == len(wrong)
    for name, line in zip(wrong, refused.value.problems, strict=True):
        assert line.startswith(f"UNDERSIGNED_{name}: ")
        assert "accepted: " in line
        assert "\n" not in line
    told = dict(zip(wrong, refused.value.problems, strict=True))
    assert "'mysql://…' cannot" in told["DATABASE_URL"], "a scheme, and never a password"
    assert all(wrong[name] not in told[name] for name in ("SECRET_KEYS", "SMTP_URL")), (
        "what may be secret is not repeated"
    )
    shown = set(wrong) - {"DATABASE_URL", "SECRET_KEYS", "SMTP_URL"}
    assert all(repr(wrong[name]) in told[name] for name in shown)


def test_a_file_says_the_same_as_the_environment(elsewhere: Path) -> None:
    (elsewhere / ".env").write_text(
        "UNDERSIGNED_SECRET_KEYS=the newest of the keys,the older of the keys\n"
        "UNDERSIGNED_PUBLIC_URL=https://letters.example.org/\nUNDERSIGNED_TRUSTED_PROXIES=10.0.0.0/8, fd00::/8\n"
        "UNDERSIGNED_DATABASE_URL=postgresql://u@/letters?host=/run/postgresql\nUNRELATED=1\n"
    )
    settings = read_settings()
    assert settings.secret_keys == ("the newest of the keys", "the older of the keys")
    assert settings.public_url == "https://letters.example.org"
    assert [str(network) for network in settings.trusted_proxies] == ["10.0.0.0/8", "fd00::/8"]


def test_a_wrong_one_in_the_file_is_shown_as_well(elsewhere: Path) -> None:
    (elsewhere / ".env").write_text("UNDERSIGNED_RATE_LIMIT=ten a minute\n")
    with pytest.raises(Problems, match=r"^UNDERSIGNED_RATE_LIMIT: 'ten a minute' cannot be used; accepted: "):
        read_settings()


def test_off_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERSIGNED_RATE_LIMIT", "off")
    assert Settings().windows == ()

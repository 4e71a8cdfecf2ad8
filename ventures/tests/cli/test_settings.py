"""Settings: all faults at once, by name; secrets never shown."""

import threading
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ventures.errors import SettingsError
from ventures.settings import SETTINGS, default_data, masked, read, with_secret

SECRET = "s" * 32


def _refused(**environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read(environ)
    return str(caught.value).split("\n")


def test_an_empty_environment_is_loopback_and_embedded() -> None:
    settings = read({})
    assert (settings.host, settings.port, settings.api_processes, settings.worker_processes) == (
        "127.0.0.1",
        8400,
        2,
        1,
    )
    assert settings.database_url is None
    assert settings.data == default_data()
    assert settings.base_url == "http://127.0.0.1:8400"
    assert settings.webhook_networks == ()


def test_every_fault_is_named_at_once() -> None:
    faults = _refused(
        VENTURES_PROT="1",
        VENTURES_PORT="70000",
        VENTURES_SIGN_UP="maybe",
        VENTURES_SECRET="short",
        VENTURES_DATA="relative",
        DATABASE_URL="mysql://x",
        VENTURES_WEBHOOK_NETWORKS="10.0.0.1/8",
        VENTURES_CORS_ORIGINS="https://a.example, ftp://b",
    )
    named = {fault.split()[0] for fault in faults}
    assert named == {
        "VENTURES_PROT", "VENTURES_PORT", "VENTURES_SIGN_UP", "VENTURES_SECRET", "VENTURES_DATA", "DATABASE_URL",
        "VENTURES_WEBHOOK_NETWORKS", "VENTURES_CORS_ORIGINS",
    }  # fmt: skip
    assert "VENTURES_PROT is no setting; did you mean VENTURES_PORT?" in faults


def test_other_programs_variables_are_none_of_ours() -> None:
    read({"PATH": "/bin", "VENTURESOME": "yes", "HOME": "/"})


def test_listening_to_others_needs_https() -> None:
    (fault,) = _refused(VENTURES_HOST="0.0.0.0", VENTURES_PUBLIC_URL="http://ventures.example")
    assert "VENTURES_PUBLIC_URL" in fault
    settings = read({"VENTURES_HOST": "0.0.0.0", "VENTURES_PUBLIC_URL": "https://ventures.example/"})
    assert settings.base_url == "https://ventures.example"
    assert settings.local_url == "http://127.0.0.1:8400"
    assert read({"VENTURES_HOST": "::1"}).local_url == "http://[::1]:8400"


def test_an_owner_without_a_database_is_refused() -> None:
    (fault,) = _refused(VENTURES_OWNER_URL="postgresql://owner@host/db")
    assert "DATABASE_URL is not" in fault


def test_secrets_come_from_files_too(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    assert read({"VENTURES_SECRET_FILE": str(file)}).secret == SECRET
    assert "both set" in _refused(VENTURES_SECRET=SECRET, VENTURES_SECRET_FILE=str(file))[0]
    assert "No such file" in _refused(VENTURES_SECRET_FILE=str(tmp_path / "none"))[0]
    file.write_text("\n")
    assert "it is empty" in _refused(VENTURES_SECRET_FILE=str(file))[0]
    assert "VENTURES_PORT_FILE is no setting" in _refused(VENTURES_PORT_FILE=str(file))[0]


def test_secrets_are_not_shown() -> None:
    settings = read({"VENTURES_SECRET": SECRET, "DATABASE_URL": "postgresql://app:hidden@host/db"})
    shown = repr(settings) + "".join(masked(setting, settings) for setting in SETTINGS)
    assert SECRET not in shown
    assert "hidden" not in shown


def test_a_fault_never_shows_a_secret() -> None:
    faults = _refused(VENTURES_SECRET="hidden", DATABASE_URL="hidden://hidden")
    assert not any("hidden" in fault for fault in faults)


def test_the_secret_is_made_once_however_many_start(tmp_path: Path) -> None:
    settings = read({"VENTURES_DATA": str(tmp_path / "data")})
    made: list[str | None] = []
    starts = [threading.Thread(target=lambda: made.append(with_secret(settings).secret)) for _ in range(8)]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    assert len(set(made)) == 1
    assert (tmp_path / "data" / "secret").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in (tmp_path / "data").iterdir()] == ["secret"]
    given_one = read({"VENTURES_DATA": str(tmp_path / "data"), "VENTURES_SECRET": SECRET})
    assert with_secret(given_one).secret == SECRET


def test_keys_differ_by_purpose_and_by_secret() -> None:
    one, other = read({"VENTURES_SECRET": SECRET}), read({"VENTURES_SECRET": SECRET + "t"})
    assert one.key("webhooks") == read({"VENTURES_SECRET": SECRET}).key("webhooks")
    assert len({one.key("webhooks"), one.key("calendar"), other.key("webhooks")}) == 3
    assert len(one.key("webhooks")) == 32
    with pytest.raises(SettingsError, match="VENTURES_SECRET"):
        read({}).key("webhooks")


@given(st.dictionaries(st.sampled_from([setting.name for setting in SETTINGS]), st.text(max_size=40), max_size=4))
@example({"VENTURES_EMBEDDING_MODEL": "x"})
@example({"VENTURES_LANGUAGE_MODEL": "x"})
def test_any_environment_is_read_or_refused_by_name(environ: dict[str, str]) -> None:
    try:
        read(environ)
    except SettingsError as error:
        assert all(line.split()[0] in environ for line in str(error).split("\n"))

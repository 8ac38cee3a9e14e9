"""What the settings of the mail account come to."""

import pytest

from connectors import mail_settings
from connectors.base import RefusedError, Workshop
from connectors.mail import Mail
from tests.connectors.test_contract import NoFiles, default_values

OAUTH = {
    "MAIL_OAUTH_REFRESH_TOKEN": "refresh", "MAIL_OAUTH_URL": "https://login.example/token", "MAIL_OAUTH_CLIENT": "app",
}  # fmt: skip


def read(tmp_path, **changes):
    workshop = Workshop(home=tmp_path, files=NoFiles(), now=lambda: None)
    return mail_settings.read(default_values(Mail, **changes), workshop)


def test_without_any_setting_there_is_an_outbox_and_nothing_else(tmp_path):
    wanted = read(tmp_path)

    assert (wanted.sender, wanted.server, wanted.box, wanted.bearer) == ("you@localhost", None, None, None)


def test_one_token_logs_in_to_both_servers_and_the_password_is_not_needed(tmp_path):
    wanted = read(tmp_path, SMTP_HOST="smtp.example", SMTP_USER="anna@berg.example", IMAP_HOST="imap.example", **OAUTH)

    assert wanted.sender == "anna@berg.example"
    assert wanted.server.bearer is wanted.box.bearer is wanted.bearer
    assert wanted.box.user == "anna@berg.example"


@pytest.mark.parametrize("secret", [{"SMTP_PASSWORD": "x"}, OAUTH], ids=["password", "token"])
def test_what_logs_in_never_travels_in_the_clear(tmp_path, secret):
    with pytest.raises(RefusedError, match="in the clear"):
        read(tmp_path, SMTP_HOST="smtp.example", SMTP_SECURITY="none", MAIL_FROM="anna@berg.example", **secret)

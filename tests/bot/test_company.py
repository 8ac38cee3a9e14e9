"""Who the company is: wrong lines are named, missing ones are told."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bot import company, demo, settings
from bot.settings import SettingsError

ROOT = Path(__file__).resolve().parents[2]


def test_the_form_filled_in_with_its_own_examples_is_right_and_lacks_nothing():
    filled = "\n".join(line.lstrip("#") if " = " in line else "" for line in company.form().splitlines())
    facts = company.facts_in(tomllib.loads(filled))
    assert set(facts) == {fact.name for fact in company.FACTS}
    assert facts["address"] == "Uferweg 1\n10115 Berlin"
    assert list(company.wanting(facts)) == []


def test_the_form_as_it_is_says_nothing_yet_and_everything_an_invoice_needs_is_missing():
    facts = company.facts_in(tomllib.loads(company.form()))
    assert facts == company.facts_in({})
    assert [what.partition(":")[0] for what in company.wanting(facts)] == [
        "name", "address", "email", "vat_id or tax_id", "iban",
    ]  # fmt: skip


def test_the_demo_company_is_right_and_complete():
    assert list(company.wanting(company.facts_in(tomllib.loads(demo.COMPANY)))) == []


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("iban", "DE02120300000000202052", "not an IBAN"),
        ("iban", "12", "not an IBAN"),
        ("vat_rate", "abc", "rate in per cent"),
        ("vat_rate", "-1", "rate in per cent"),
        ("vat_rate", "nan", "rate in per cent"),
        ("vat_rate", 1900, "rate in per cent"),
        ("zone", "Europe/Berln", "time zone"),
        ("zone", "../../etc/passwd", "time zone"),
        ("locale", "klingon", "locale"),
        ("locale", "xx_YY", "locale"),
        ("currency", "EURO", "currency"),
        ("country", "Germany", "two letters"),
        ("country", "XX", "two letters"),
        ("email", "nora", "e-mail"),
        ("terms", "soon", "terms of payment"),
        ("small_business", "perhaps", "true or false"),
        ("ibn", "DE02120300000000202051", "is not known; known are name,"),
    ],
)
def test_a_line_that_makes_no_sense_is_named_with_what_it_should_be(name, value, says):
    with pytest.raises(ValueError, match=says) as caught:
        company.facts_in({name: value})
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("iban", "de02 1203 0000 0000 2020 51", "DE02120300000000202051"),
        ("vat_rate", "20 %", "20"),
        ("vat_rate", 7.7, "7.7"),
        ("vat_rate", 0, "0"),
        ("small_business", True, "true"),
        ("country", "gb", "GB"),
        ("locale", "de-AT", "de-AT"),
        ("terms", "on receipt", "on receipt"),
        ("phone", "", ""),
    ],
)
def test_ways_of_writing_come_to_one(name, value, kept):
    assert company.facts_in({name: value})[name] == kept


def test_all_wrong_lines_are_told_at_once_and_stop_the_start(tmp_path):
    (tmp_path / "company.toml").write_text('iban = "DE0"\nvat_rate = "x"\nbiz = 1\n')
    with pytest.raises(SettingsError) as caught:
        settings.read((), environment={"SOLOIST_HOME": str(tmp_path)}, folder=tmp_path)
    text = str(caught.value)
    assert "company.toml" in text
    assert "iban" in text
    assert "vat_rate" in text
    assert "biz is not known" in text


def test_the_command_shows_who_we_are_and_a_home_that_cannot_be_made_is_a_sentence(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "company.toml").write_text('name = "Lind Studio"\n')

    def run(command: str, where: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "bot", command],
            cwd=ROOT, env={"SOLOIST_HOME": str(where), "PATH": "/usr/bin:/bin"}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip

    shown = run("company", home)
    assert shown.returncode == 0, shown.stderr
    assert "Lind Studio" in shown.stdout
    assert "missing: iban" in shown.stdout
    refused = run("chat", home / "company.toml" / "below")
    assert refused.returncode == 1
    assert "Set SOLOIST_HOME to a folder of yours" in refused.stderr
    assert "Traceback" not in refused.stderr

"""Backups that were tampered with, bombs, homes that are alive, and what must not travel in one."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import stat
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from memory import archive
from memory.archive import MANIFEST, BackupError, backup, restore, verify
from memory.database import Database
from memory.log import Log
from memory.projections import ledger, records

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a home with a database, a file of the operator's and every kind of secret."""
    folder = tmp_path / "company"
    with Database.open(folder) as database:
        Log(database).set_fact("secret", "00")
    (folder / "policy.toml").write_text("# asks\n")
    for name in ("console.key", "mcp.key", "telegram.secret", ".env", "pairings.json"):
        (folder / name).write_text(f"now {name}")
    (folder / "oauth").mkdir()
    (folder / "oauth" / "mail.json").write_text("now refresh token")
    return folder


def packed(home: Path, target: Path) -> Path:
    database = Database.look(home)
    try:
        return backup(database, home, target, NOW)
    finally:
        database.close()


def names(source: Path) -> set[str]:
    with tarfile.open(source) as opened:
        return set(opened.getnames())


def sound(folder: Path) -> list[str]:
    database = Database.look(folder)
    try:
        return [str(error) for error in Log(database).verify()]
    finally:
        database.close()


def forged(target: Path, files: dict[str, bytes], *extra: tarfile.TarInfo, manifest: bytes | None = None) -> Path:
    """Write an archive whose manifest fits whatever is in it."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    told = json.dumps({"soloist": 1, "files": digests}).encode() if manifest is None else manifest
    with tarfile.open(target, "w:gz") as opened:
        for name, content in {**files, MANIFEST: told}.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            opened.addfile(info, io.BytesIO(content))
        for info in extra:
            opened.addfile(info)
    return target


def beside(home: Path) -> list[str]:
    return sorted(path.name for path in home.parent.iterdir() if path.name not in {home.name, "b.tar.gz"})


def test_nothing_that_lets_somebody_in_is_in_a_backup_and_only_its_owner_reads_it(home: Path, tmp_path: Path) -> None:
    made = packed(home, tmp_path / "b.tar.gz")
    assert names(made) == {"soloist.db", "policy.toml", "pairings.json", MANIFEST}
    assert stat.S_IMODE(made.stat().st_mode) == 0o600


def test_a_restore_leaves_the_keys_of_this_machine_and_who_is_paired_as_they_are(home: Path, tmp_path: Path) -> None:
    made = packed(home, tmp_path / "b.tar.gz")
    (home / "pairings.json").write_text("unpaired: the phone was lost")
    (home / "policy.toml").write_text("# changed since\n")
    old = restore(made, home, sound)
    assert old == home.with_name("company-before-restore-1")
    assert (home / "pairings.json").read_text() == "unpaired: the phone was lost"
    assert (home / "oauth" / "mail.json").read_text() == "now refresh token"
    assert (home / "mcp.key").read_text() == "now mcp.key"
    assert (home / "policy.toml").read_text() == "# asks\n"


def test_on_a_new_machine_the_pairings_of_the_backup_count(home: Path, tmp_path: Path) -> None:
    made = packed(home, tmp_path / "b.tar.gz")
    assert restore(made, tmp_path / "new", sound) is None
    assert (tmp_path / "new" / "pairings.json").read_text() == "now pairings.json"
    assert not (tmp_path / "new" / "console.key").exists()


def test_an_old_home_is_kept_also_when_an_older_one_was_deleted(home: Path, tmp_path: Path) -> None:
    made = packed(home, tmp_path / "b.tar.gz")
    first, second = restore(made, home, sound), restore(made, home, sound)
    assert first is not None
    for file in sorted(first.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    first.rmdir()
    assert restore(made, home, sound) == first
    assert second is not None
    assert second.exists()


def test_a_link_in_the_home_is_backed_up_as_what_it_leads_to(home: Path, tmp_path: Path) -> None:
    (tmp_path / "dotfiles.toml").write_text("name = 'Nora'")
    (home / "company.toml").symlink_to(tmp_path / "dotfiles.toml")
    (home / "second.toml").hardlink_to(home / "policy.toml")
    restore(packed(home, tmp_path / "b.tar.gz"), tmp_path / "new", sound)
    assert (tmp_path / "new" / "company.toml").read_text() == "name = 'Nora'"
    assert (tmp_path / "new" / "second.toml").read_text() == "# asks\n"


def test_what_grows_or_goes_while_it_is_packed_spoils_no_backup(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = archive._files

    def alive(folder: Path):  # type: ignore[no-untyped-def]
        for path, name in [*listed(folder), (folder / "inbox-files" / "gone.pdf", "inbox-files/gone.pdf")]:
            yield path, name
            path.exists() and path.write_text(path.read_text() + "more\n")

    monkeypatch.setattr(archive, "_files", alive)
    assert "inbox-files/gone.pdf" not in verify(packed(home, tmp_path / "b.tar.gz"))


@pytest.mark.parametrize("name", ["../outside", "/etc/cron.d/x", "files/../../x", "..", "a/b/../../../c"])
def test_a_path_that_leads_out_is_refused(name: str, home: Path, tmp_path: Path) -> None:
    made = forged(tmp_path / "b.tar.gz", {"soloist.db": (home / "soloist.db").read_bytes(), name: b"x"})
    with pytest.raises(BackupError, match="no place in a backup"):
        restore(made, home, sound)
    assert beside(home) == []


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE])
def test_what_is_no_plain_file_is_refused(kind: bytes, home: Path, tmp_path: Path) -> None:
    odd = tarfile.TarInfo("odd")
    odd.type, odd.linkname = kind, "/etc/passwd"
    made = forged(tmp_path / "b.tar.gz", {"soloist.db": (home / "soloist.db").read_bytes()}, odd)
    with pytest.raises(BackupError, match="'odd', which has no place"):
        restore(made, home, sound)


def test_an_archive_that_would_fill_the_disk_is_refused_before_it_is_unpacked(home: Path, tmp_path: Path) -> None:
    bomb = tarfile.TarInfo("bomb")
    bomb.size = 1 << 50  # a petabyte is promised; its bytes are never read
    made = forged(tmp_path / "b.tar.gz", {"soloist.db": b""}, bomb)
    with pytest.raises(BackupError, match="needs more room than there is"):
        restore(made, home, sound)
    assert beside(home) == []


@pytest.mark.parametrize("manifest", [b"[]", b"{}", b'{"files": 1}', b'{"files": ["a"]}', b"[" * 100_000, b"\xff", b""])
def test_a_manifest_that_is_none_is_said_in_a_sentence(manifest: bytes, home: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="Take another one"):
        restore(forged(tmp_path / "b.tar.gz", {"soloist.db": b"x"}, manifest=manifest), home, sound)


def test_a_manifest_larger_than_any_home_is_not_read(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MANIFEST_BYTES_MAX", 20)
    with pytest.raises(BackupError, match=r"'manifest\.json', which has no place"):
        restore(forged(tmp_path / "b.tar.gz", {"soloist.db": b"x"}), home, sound)


def test_an_archive_without_a_database_or_with_something_else_there_is_no_backup(home: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match=r"holds no soloist\.db"):
        restore(forged(tmp_path / "b.tar.gz", {"policy.toml": b""}), home, sound)
    with pytest.raises(BackupError, match="the database is damaged"):
        restore(forged(tmp_path / "b.tar.gz", {"soloist.db": b"not a database" * 400}), home, sound)
    assert beside(home) == []
    assert (home / "policy.toml").read_text() == "# asks\n"


def test_a_file_that_is_cut_off_or_no_archive_is_said_in_a_sentence(home: Path, tmp_path: Path) -> None:
    made = packed(home, tmp_path / "b.tar.gz")
    whole = made.read_bytes()
    for broken in (b"", b"hello", whole[: len(whole) // 2], whole[:2000] + b"\0" * 50 + whole[2050:]):
        made.write_bytes(broken)
        with pytest.raises(BackupError, match="Take another one"):
            restore(made, home, sound)
    assert beside(home) == []


def test_when_the_folders_cannot_be_swapped_the_home_is_where_it_was(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = packed(home, tmp_path / "b.tar.gz")
    real = Path.rename

    def stubborn(self: Path, target: Path) -> Path:
        if self.name.startswith("."):
            raise OSError(16, "Device or resource busy")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", stubborn)
    with pytest.raises(BackupError, match=r"Device or resource busy\. .+ is as it was"):
        restore(made, home, sound)
    assert (home / "console.key").read_text() == "now console.key"
    assert beside(home) == []


def test_an_export_gives_a_spreadsheet_no_formula_and_a_page_no_heading(tmp_path: Path) -> None:
    name = "=HYPERLINK(1)\n# Paid"
    with Database.open(tmp_path / "company") as database:
        with database.engine.begin() as connection:
            connection.execute(
                ledger.insert(),
                [
                    {"effect": "1.1.1", "line": number, "task": 1, "seq": 1, "at": NOW.isoformat(), "note": note}
                    | {"account": "assets:bank", "amount": "-10.00", "currency": "EUR"}
                    for number, note in enumerate((name, "-1+1", "Acme, March", ""))
                ],
            )
            connection.execute(
                records.insert(),
                {"kind": "client", "key": "x", "version": 1, "at": NOW.isoformat(), "gone": 0}
                | {"data": json.dumps({"name": name}), "effect": "1.1.1", "task": 1},
            )
        folder = tmp_path / "out"
        archive.export(database, folder)
    with (folder / "ledger.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["note"] for row in rows] == [f"'{name}", "'-1+1", "Acme, March", ""]
    assert {row["amount"] for row in rows} == {"-10.00"}, "what is a number stays one"
    assert "- name: =HYPERLINK(1) # Paid\n" in (folder / "records.md").read_text()

"""Memory from the command line: files in, answers out as JSON, an export and back. Real processes' code, one home."""

import json

import pytest

from bot import cli, wiring


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SOLOIST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("REDIS_URL", "none")
    monkeypatch.setattr(wiring, "recall_embedder", lambda _home: None)

    def command(*words):
        with pytest.raises(SystemExit) as left:
            cli.main(words)
        said = capsys.readouterr()
        return left.value.code, said.out, said.err

    return command


@pytest.fixture
def papers(tmp_path):
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "notes.md").write_text("# Terms\n\nGlobex pays within 60 days.\n")
    (folder / "prices.csv").write_text("item,price\nLogo,900\n")
    return folder


def test_a_folder_is_read_and_found_again_as_json(run, papers) -> None:
    code, said, _ = run("import", str(papers))
    assert (code, said) == (0, "notes.md: 1 record kept.\nprices.csv: 1 record kept.\n")
    code, said, _ = run("recall", "when does Globex pay", "--json", "-k", "1")
    answer = json.loads(said)
    (hit,) = answer["hits"]
    assert (hit["text"], hit["source"]) == ("Terms: Globex pays within 60 days.", "file:notes.md#line=3")
    assert sum(hit["terms"].values()) == pytest.approx(hit["score"], abs=1e-4)
    assert "words alone" in answer["note"]
    assert run("recall", "Globex", "--client", "acme", "--json")[1].count('"hits": []') == 1


def test_a_file_read_twice_is_kept_once_and_what_is_new_in_it_is_added(run, papers) -> None:
    run("import", str(papers))
    assert run("import", str(papers))[1] == "notes.md: 1 record kept.\nprices.csv: 1 record kept.\n"
    assert run("recall", "Globex pays Logo price", "--json")[1].count('"source"') == 2
    (papers / "prices.csv").write_text("item,price\nLogo,900\nFlyer,80\n")
    run("import", str(papers))
    assert run("recall", "Globex pays Logo price Flyer", "--json")[1].count('"source"') == 3


def test_a_file_of_a_folder_that_is_of_no_kind_read_is_named(run, papers) -> None:
    (papers / "photo.jpg").write_bytes(b"x")
    (papers / ".DS_Store").write_bytes(b"x")
    code, said, error = run("import", str(papers))
    assert (code, said.count("kept")) == (0, 2)
    assert error == "Left out, of no kind I read: photo.jpg\n"


def test_what_was_exported_is_read_back_once(run, papers, tmp_path) -> None:
    run("import", str(papers))
    assert run("export", str(tmp_path / "out"))[0] == 0
    code, said, _ = run("import", str(tmp_path / "out" / "memory.jsonl"))
    assert (code, said) == (0, "memory.jsonl: 2 records kept.\n")
    assert len(json.loads(run("recall", "Globex pays Logo price", "--json")[1])["hits"]) == 2


def test_what_makes_no_sense_is_said_in_one_sentence(run, papers, tmp_path) -> None:
    assert run("import", str(tmp_path / "nowhere"))[::2] == (
        1, (f"soloist: {tmp_path / 'nowhere'} was not read: there is no such file, or no file in it that I read "
        "(.pdf, .md, .markdown, .txt, .text, .csv, .mbox, .eml, .jsonl).\n"),
    )  # fmt: skip
    run("import", str(papers))
    code, _, error = run("recall", "x", "--at", "tomorrow")
    assert (code, error) == (1, "soloist: --at is 'tomorrow', and should be a date like 2026-03-02.\n")


def test_while_soloist_runs_the_files_go_into_its_folder(run, papers, tmp_path) -> None:
    run("import", str(papers))
    with wiring.Database.open(tmp_path / "home"):
        code, said, _ = run("import", str(papers))
    assert code == 0
    assert "Soloist is running: it reads 2 files" in said
    assert sorted(path.name for path in (tmp_path / "home" / "inbox-files").iterdir()) == ["notes.md", "prices.csv"]


def test_while_soloist_runs_two_files_of_one_name_stay_two_and_a_clients_are_the_clients(run, papers, tmp_path) -> None:
    run("import", str(papers))
    for folder in ("a", "b"):
        (tmp_path / "offers" / folder).mkdir(parents=True)
        (tmp_path / "offers" / folder / "offer.md").write_text(f"# Offer {folder}\n")
    with wiring.Database.open(tmp_path / "home"):
        code, said, _ = run("import", "--client", "acme", str(tmp_path / "offers"))
    acmes = tmp_path / "home" / "inbox-files" / "acme"
    assert code == 0
    assert f"it reads 2 files from {acmes}" in said
    assert {path.name: path.read_text() for path in acmes.iterdir()} == {
        "offer.md": "# Offer a\n",
        "offer-2.md": "# Offer b\n",
    }

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.base import OutcomeUnknownError, RefusedError, TryLaterError, Workshop
from connectors.blog import Blog
from connectors.blog_git import KEY, digest, run_git

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
POST = {"slug": "our-workshop", "title": 'Our "workshop": two days', "body": "Come & learn.\n\n---\n\nBring a laptop."}


def git(folder, *arguments):
    ran = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, check=True)
    return ran.stdout.decode().strip()


@pytest.fixture
def remote(tmp_path):
    """A bare repository: what is published is what it has."""
    folder = tmp_path / "remote.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", folder], check=True)
    return folder


@pytest.fixture
def folder(tmp_path, remote):
    place = tmp_path / "site"
    subprocess.run(["git", "init", "-q", "-b", "main", place], check=True)
    git(place, "config", "user.name", "Anna")
    git(place, "config", "user.email", "anna@berg.example")
    (place / "README.md").write_text("A blog.\n")
    git(place, "add", ".")
    git(place, "commit", "-q", "-m", "Begin")
    git(place, "remote", "add", "origin", str(remote))
    git(place, "push", "-q", "origin", "main")
    return place


def made(folder, tmp_path, *, run=run_git, **changes):
    values = {setting.name: setting.default for setting in Blog.settings}
    values |= {"BLOG_FOLDER": str(folder), "BLOG_REMOTE": "origin", "BLOG_AUTHOR": "Anna <anna@berg.example>"} | changes
    return Blog.open(values, Workshop(tmp_path, None, lambda: NOW), run)


@pytest.fixture
def blog(folder, tmp_path):
    return made(folder, tmp_path)


def published(remote):
    """The ledger: how often each key was published, by the remote's own history."""
    return git(remote, "log", "--format=%(trailers:key=" + KEY + ",valueonly)", "main").split()


def text(remote, slug="our-workshop"):
    return git(remote, "show", f"main:posts/{slug}.md")


def there(remote):
    return git(remote, "ls-tree", "-r", "--name-only", "main").splitlines()


# ── publishing ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_published_post_stands_in_the_remote_with_its_front_matter(blog, remote, folder):
    receipt = await blog.publish(**POST, key="12.1.1", variant="b", variants={"a": "One", "b": "Two"})

    _, matter, body = text(remote).split("---\n", 2)
    read = {name: json.loads(value) for name, _, value in (line.partition(": ") for line in matter.splitlines())}
    assert read == {
        "title": POST["title"], "date": "2026-03-02T09:00:00+00:00", "slug": "our-workshop", "draft": False,
        "variant": "b", "variants": {"a": "One", "b": "Two"},
    }  # fmt: skip
    assert body.strip() == POST["body"]
    assert receipt.ref == git(remote, "rev-parse", "main")
    assert published(remote) == [digest("12.1.1")]
    assert git(folder, "status", "--porcelain") == ""
    assert (folder / "posts/our-workshop.md").exists()


async def test_the_front_matter_is_yaml(blog, remote):
    yaml = pytest.importorskip("yaml")
    await blog.publish(**POST, key="1", variants={"a": "é: [x]\n- y"})
    read = yaml.safe_load(text(remote).split("---\n")[1])
    assert read["title"] == POST["title"]
    assert read["variants"] == {"a": "é: [x]\n- y"}


async def test_the_same_key_is_one_commit_and_another_key_another(blog, remote):
    first = await blog.publish(**POST, key="1")

    assert await blog.publish(**POST, key="1") == first
    assert len(published(remote)) == 1
    await blog.publish(**(POST | {"body": "New."}), key="2")
    assert len(published(remote)) == 2


async def test_a_post_for_later_says_so(blog, remote):
    receipt = await blog.publish(**POST, key="1", date="2026-04-01T09:00:00+02:00")
    assert 'date: "2026-04-01T09:00:00+02:00"' in text(remote)
    assert "shown from 2026-04-01" in receipt.text


async def test_what_somebody_has_in_hand_is_not_swept_along(blog, remote, folder):
    (folder / "draft.md").write_text("mine")
    (folder / "README.md").write_text("changed")
    git(folder, "add", "draft.md")
    await blog.publish(**POST, key="1")

    assert there(remote) == ["README.md", "posts/our-workshop.md"]
    assert git(folder, "status", "--porcelain").split("\n") == ["M README.md", "A  draft.md"]


async def test_a_post_somebody_is_working_on_is_left_alone(blog, remote, folder):
    (folder / "posts").mkdir()
    (folder / "posts/our-workshop.md").write_text("half a thought")
    with pytest.raises(RefusedError, match="not committed"):
        await blog.publish(**POST, key="1")
    assert published(remote) == []
    assert (folder / "posts/our-workshop.md").read_text() == "half a thought"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"slug": "../../etc/passwd"}, "no name for a post"),
        ({"slug": "Our Workshop"}, "no name for a post"),
        ({"slug": "a\nD README.md"}, "no name for a post"),
        ({"slug": "-rf"}, "no name for a post"),
        ({"slug": "x" * 81}, "no name for a post"),
        ({"title": "a\nb"}, "one line"),
        ({"title": ""}, "needs a title"),
        ({"body": " "}, "needs a text"),
        ({"body": "a\0b"}, "needs a text"),
        ({"date": "tomorrow"}, "no date"),
        ({"date": "2026-04-01T09:00:00"}, "which time zone"),
        ({"variant": "A/B"}, "short name"),
        ({"variants": {str(n): "x" for n in range(9)}}, "at most"),
    ],
)
async def test_a_post_that_makes_no_sense_is_refused(blog, remote, changes, words):
    with pytest.raises(RefusedError, match=words):
        await blog.publish(**(POST | changes), key="1")
    assert published(remote) == []


async def test_a_body_cannot_speak_to_git(blog, remote):
    body = "data 3\nabc\nD README.md\n\ndone\n" + f"{KEY}: {digest('2')}"
    await blog.publish(**(POST | {"body": body, "title": f"{KEY}: {digest('2')}"}), key="1")
    assert there(remote) == ["README.md", "posts/our-workshop.md"]
    assert body in text(remote)
    await blog.publish(**(POST | {"body": "New."}), key="2")
    assert len(published(remote)) == 2


# ── taking back ───────────────────────────────────────────────────────────────────────────────────────────────────


async def undo(blog, action, arguments, receipt, key):
    name, back = Blog.actions()[f"blog.{action}"].undo(arguments, receipt)
    return name, back, await getattr(blog, name.partition(".")[2])(**back, key=key)


async def test_a_post_is_taken_down_and_put_back(blog, remote, folder):
    receipt = await blog.publish(**POST, key="1")
    before = text(remote)
    name, arguments, gone = await undo(blog, "publish", POST, receipt, "2")
    assert name == "blog.unpublish"
    assert there(remote) == ["README.md"]
    assert not (folder / "posts/our-workshop.md").exists()
    assert await blog.unpublish(slug=POST["slug"], key="2") == gone

    name, arguments, back = await undo(blog, "unpublish", arguments, gone, "3")
    assert name == "blog.put_back"
    assert text(remote) == before
    name, _, _ = await undo(blog, "put_back", arguments, back, "4")
    assert name == "blog.unpublish"
    assert there(remote) == ["README.md"]
    assert len(published(remote)) == 4
    assert git(folder, "status", "--porcelain") == ""


async def test_taking_back_a_new_version_brings_the_old_one(blog, remote):
    await blog.publish(**POST, key="1")
    before = text(remote)
    receipt = await blog.publish(**(POST | {"body": "New."}), key="2")
    name, _, _ = await undo(blog, "publish", POST, receipt, "3")
    assert name == "blog.put_back"
    assert text(remote) == before


async def test_what_is_not_there_cannot_be_taken_down_or_put_back(blog, remote):
    with pytest.raises(RefusedError, match="cannot be taken down"):
        await blog.unpublish(slug="nothing", key="1")
    for commit in ("HEAD", "0" * 40, "--help"):
        with pytest.raises(RefusedError, match="cannot be put back"):
            await blog.put_back(slug="nothing", commit=commit, key="1")
    assert published(remote) == []


# ── killed at any point ───────────────────────────────────────────────────────────────────────────────────────────


class KilledError(BaseException):
    """The process is gone at this point."""


def dying(at, when):
    count = 0

    async def run(folder, arguments, given):
        nonlocal count
        count += 1
        if count == at and when == "before":
            raise KilledError
        answer = await run_git(folder, arguments, given)
        if count == at and when == "after":
            raise KilledError
        return answer

    run.count = lambda: count
    return run


@pytest.mark.parametrize("with_remote", [True, False], ids=["remote", "local"])
async def test_killed_before_or_after_any_step_it_is_published_once(tmp_path, folder, remote, with_remote):
    """The ledger is the history of what is published: the remote's, or the branch itself."""
    ledger = remote if with_remote else folder
    changes = {} if with_remote else {"BLOG_REMOTE": ""}
    alive = dying(0, "never")
    await made(folder, tmp_path, run=alive, **changes).publish(**(POST | {"slug": "count"}), key="count")
    wanted = 1
    for at in range(1, alive.count() + 1):
        for when in ("before", "after"):
            key, post = f"{at}.{when}", POST | {"slug": f"post-{at}-{when}"}
            with pytest.raises(KilledError):
                await made(folder, tmp_path, run=dying(at, when), **changes).publish(**post, key=key)
            assert published(ledger).count(digest(key)) <= 1
            await made(folder, tmp_path, **changes).publish(**post, key=key)
            wanted += 1
            assert published(ledger).count(digest(key)) == 1
    assert len(published(ledger)) == wanted
    assert git(folder, "status", "--porcelain") == ""


async def test_the_twin_that_does_not_look_publishes_twice(blog, remote, monkeypatch):
    async def never(key):
        return None

    monkeypatch.setattr(blog._repository, "_published", never)
    await blog.publish(**POST, key="1")
    await blog.publish(**(POST | {"body": "again"}), key="1")
    assert published(remote) == [digest("1")] * 2


# ── the remote ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_remote_that_is_ahead_is_pulled_by_a_person(blog, remote, folder, tmp_path):
    other = tmp_path / "other"
    git(tmp_path, "clone", "-q", str(remote), str(other))
    git(other, "-c", "user.name=B", "-c", "user.email=b@x.example", "commit", "-q", "--allow-empty", "-m", "Meanwhile")
    git(other, "push", "-q")
    with pytest.raises(RefusedError, match="Pull, then ask again"):
        await blog.publish(**POST, key="1")
    assert published(remote) == []
    assert git(folder, "log", "--format=%s") == "Begin"

    git(folder, "pull", "-q", "--ff-only", "origin", "main")
    await blog.publish(**POST, key="2")
    assert published(remote) == [digest("2")]


async def test_a_remote_that_is_gone_means_that_nothing_happened(blog, remote, tmp_path):
    remote.rename(tmp_path / "away.git")
    with pytest.raises(TryLaterError, match="Nothing was published"):
        await blog.publish(**POST, key="1")


async def test_a_push_that_breaks_off_is_unknown_and_then_found(folder, tmp_path, remote):
    async def run(place, arguments, given):
        answer = await run_git(place, arguments, given)
        return (128, b"", "fatal: https://anna:secret@x.example: broken") if arguments[0] == "push" else answer

    with pytest.raises(OutcomeUnknownError) as raised:
        await made(folder, tmp_path, run=run).publish(**POST, key="1")
    assert "secret" not in str(raised.value).replace("[secret]", "")
    await made(folder, tmp_path).publish(**POST, key="1")
    assert published(remote) == [digest("1")]


# ── set-up ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_posts_are_listed_and_health_is_said(blog, tmp_path):
    await blog.publish(**POST, key="1")
    assert (await blog.posts()).data["posts"] == [{"slug": "our-workshop", "path": "posts/our-workshop.md"}]
    assert (await blog.health()).ok
    assert blog.account == "site:origin/main"
    missing = made(tmp_path / "nowhere", tmp_path)
    assert not (await missing.health()).ok
    (Path(blog._repository.folder) / "sub").mkdir()
    assert "inside a repository" in (await made(blog._repository.folder / "sub", tmp_path).health()).text


@pytest.mark.parametrize(
    "changes",
    [
        {"BLOG_POSTS": "../x"}, {"BLOG_POSTS": ".git"}, {"BLOG_POSTS": ""}, {"BLOG_BRANCH": "--force"},
        {"BLOG_BRANCH": "a..b"}, {"BLOG_REMOTE": "--upload-pack=x"}, {"BLOG_REMOTE": "ext::sh -c x"},
        {"BLOG_AUTHOR": "Anna"}, {"BLOG_AUTHOR": "A\nB <a@b.example>"},
    ],
    ids=str,
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(tmp_path, changes):
    with pytest.raises(RefusedError):
        made(tmp_path, tmp_path, **changes)
    assert made(tmp_path, tmp_path, BLOG_FOLDER="") is None

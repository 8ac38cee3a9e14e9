"""Content: brief → draft → edit → publish, and nothing goes out that was not seen."""

from datetime import datetime
from zoneinfo import ZoneInfo

from agents.base import Found, Proposal, Thought
from agents.content import CancelPost, Content, PostNumbers, PublishPost, SchedulePost, WritePost
from connectors.base import Receipt, TryLaterError
from memory.events import Origin, Write
from tests.agents.desk import NOW, PaperDesk, task

FRIDAY = datetime(2026, 11, 27, 9, 0, tzinfo=ZoneInfo("Europe/Berlin"))


async def propose(desk: PaperDesk, intent: object, text: str = "", **more: object) -> Proposal:
    return await Content().work(task(intent, text, **more), desk)


async def drafted(desk: PaperDesk, topic: str = "our new workshop", channel: str = "") -> str:
    proposal = await propose(desk, WritePost(topic=topic, channel=channel))
    desk.confirm(proposal)
    return str(proposal.results["post"])


async def test_without_a_model_the_draft_is_the_brief_and_says_so() -> None:
    desk = PaperDesk()
    proposal = await propose(desk, WritePost(), "write a post about our new workshop")
    assert proposal.calls[0].writes[0].data["text"] == "Our new workshop."
    assert proposal.calls[0].args["fields"]["Or"] == "Have you heard about our new workshop? Our new workshop."
    assert "No model wrote this" in proposal.reasons[0]


async def test_a_models_draft_may_use_remembered_facts_and_no_others() -> None:
    desk = PaperDesk()
    desk.found = [
        Found("m:1", "The workshop takes 3 hours", 1.0, {}, Origin.OPERATOR, NOW),
        Found("m:2", "It costs 1 EUR, says a stranger", 1.0, {}, Origin.STRANGER, NOW),
    ]
    desk.thoughts = [
        Thought(text="Our workshop: 3 hours well spent.", model="m"),
        Thought(text="Only 99 EUR!", model="m"),
    ]
    good = await propose(desk, WritePost(topic="our new workshop"))
    assert good.results["text"] == "Our workshop: 3 hours well spent."
    assert all("stranger" not in text for _, text in desk.asked[0][2])
    bad = await propose(desk, WritePost(topic="our new workshop"))
    assert bad.results["text"] == "Our new workshop."
    assert "named 99" in bad.reasons[0]


async def test_a_draft_is_published_as_it_was_seen() -> None:
    desk = PaperDesk()
    key = await drafted(desk)
    proposal = await propose(desk, PublishPost(), "publish the post about the workshop")
    assert proposal.calls[0].name == "bluesky.post"
    assert proposal.calls[0].args == {"text": "Our new workshop.", "name": key}
    assert proposal.calls[0].needs == {f"post:{key}": 1}
    other = await propose(desk, PublishPost(post=key), "publish version b")
    assert other.calls[0].args["text"].startswith("Have you heard")
    desk.confirm(proposal)
    assert desk.record("post", key).data["status"] == "published"
    assert "no post that is draft" in (await propose(desk, PublishPost(), "publish the post")).problem


async def test_a_blog_post_goes_to_the_blog() -> None:
    desk = PaperDesk()
    key = await drafted(desk, channel="blog")
    proposal = await propose(desk, PublishPost(post=key))
    assert proposal.calls[0].name == "blog.publish"
    assert proposal.calls[0].args["slug"] == key


async def test_a_text_too_long_for_the_place_is_asked_about() -> None:
    proposal = await propose(PaperDesk(), WritePost(topic="x" * 301))
    assert "bluesky takes 300" in proposal.ask
    assert (await propose(PaperDesk(), WritePost(topic="x" * 301, channel="blog"))).calls


async def test_a_post_is_scheduled_and_the_schedule_can_be_taken_back() -> None:
    desk = PaperDesk()
    key = await drafted(desk)
    assert "When shall" in (await propose(desk, SchedulePost(post=key))).ask
    assert "has passed" in (await propose(desk, SchedulePost(post=key, when=NOW))).ask
    desk.confirm(await propose(desk, SchedulePost(post=key, when=FRIDAY)))
    assert desk.record("schedule", f"post-{key}").data["next"] == "2026-11-27T09:00:00+01:00"
    desk.confirm(await propose(desk, CancelPost(), "cancel the post"))
    assert desk.record("schedule", f"post-{key}") is None
    assert desk.record("post", key).data["status"] == "draft"


async def test_a_published_post_is_taken_down_where_it_stands() -> None:
    desk = PaperDesk()
    key = await drafted(desk)
    desk.confirm(await propose(desk, PublishPost(post=key)))
    assert (await propose(desk, CancelPost(post=key))).calls[0].args == {"uri": key}
    desk.write(Write(kind="post", key=key, data={**desk.record("post", key).data, "ref": "at://x/1"}))
    assert (await propose(desk, CancelPost(post=key))).calls[0].args == {"uri": "at://x/1"}


async def test_which_post_is_asked_when_there_are_two() -> None:
    desk = PaperDesk()
    await drafted(desk, "our new workshop")
    await drafted(desk, "the annual report")
    assert len((await propose(desk, PublishPost(), "publish the post")).choices) == 2
    assert (await propose(desk, PublishPost(), "publish the report post")).results["post"] == "the-annual-report"


async def test_numbers_are_read_back_and_remembered() -> None:
    desk = PaperDesk()
    key = await drafted(desk)
    desk.confirm(await propose(desk, PublishPost(post=key)))
    desk.answers["bluesky.numbers"] = Receipt("", "", {"numbers": {"likes": 7, "replies": 1}})
    answer = await propose(desk, PostNumbers())
    assert "7 likes, 1 reply" in answer.say
    assert desk.used[-1] == ("bluesky.numbers", {"uri": key})
    (kept,) = answer.remember
    assert "on 21 November 2026 had 7 likes, 1 reply: Our new workshop." in kept["text"]
    desk.answers["bluesky.numbers"] = TryLaterError("It sleeps.")
    assert not (await propose(desk, PostNumbers())).remember


async def test_numbers_are_listed_as_recorded() -> None:
    desk = PaperDesk()
    key = await drafted(desk)
    assert "no numbers yet" in (await propose(desk, PostNumbers())).say
    desk.write(Write(kind="post", key=key, data={**desk.record("post", key).data, "numbers": {"likes": 7}}))
    assert "7 likes" in (await propose(desk, PostNumbers())).say
    assert "no posts yet" in (await propose(PaperDesk(), PostNumbers())).say


async def test_two_versions_are_tried_at_two_times_and_the_better_one_is_told() -> None:
    desk = PaperDesk()
    key = await drafted(desk)
    words = "schedule both versions of the post for Friday at 9 and Monday at 10"
    friday = datetime(2026, 11, 27, 9, tzinfo=desk.zone)
    desk.confirm(await propose(desk, SchedulePost(when=friday), words))
    a, b = desk.record("post", key), desk.record("post", f"{key}-b")
    assert (a.data["when"], b.data["when"]) == ("2026-11-27T09:00:00+01:00", "2026-11-30T10:00:00+01:00")
    assert (a.data["text"], b.data["text"]) == (a.data["variants"]["a"], a.data["variants"]["b"])
    assert {each.key for each in desk.records("schedule")} == {f"post-{key}", f"post-{key}-b"}
    for post, likes in ((key, 3), (f"{key}-b", 9)):
        published = await propose(desk, PublishPost(post=post))
        desk.confirm(published)
        assert desk.record("schedule", f"numbers-{post}").data["slots"] == {"post": post, "keep": "yes"}
        desk.answers["bluesky.numbers"] = Receipt("", "", {"numbers": {"likes": likes, "replies": 1}})
        counted = await propose(desk, PostNumbers(post=post, keep="yes"))
        desk.confirm(counted)
    assert "did better: 10 reactions, the other 4." in str(counted.calls[0].args["summary"])
    assert "Version b of" in str(counted.remember[0]["text"])
    assert desk.record("post", key).data["numbers"] == {"likes": 3, "replies": 1}
    assert "Version b of 'Our new workshop' did better" in (await propose(desk, PostNumbers())).say


async def test_the_second_time_is_two_days_later_and_one_version_can_be_called_off() -> None:
    desk = PaperDesk()
    key = await drafted(desk)
    friday = datetime(2026, 11, 27, 9, tzinfo=desk.zone)
    for _ in range(2):  # planned again, it is the same pair
        desk.confirm(await propose(desk, SchedulePost(when=friday), "schedule a/b of the post for Friday at 9"))
        assert desk.record("post", f"{key}-b").data["when"] == "2026-11-29T09:00:00+01:00"
        desk.confirm(await propose(desk, CancelPost(post=f"{key}-b"), "cancel version b"))
        assert [each.key for each in desk.records("schedule")] == [f"post-{key}"]
    assert len(desk.records("post")) == 2


async def test_a_post_that_was_taken_down_or_published_early_is_left_alone() -> None:
    desk = PaperDesk()
    key = await drafted(desk)
    desk.confirm(await propose(desk, SchedulePost(when=datetime(2026, 11, 27, 9, tzinfo=desk.zone))))
    desk.confirm(await propose(desk, PublishPost(post=key), "publish the post now"))
    assert "published before its time" in (await propose(desk, PublishPost(post=key))).say
    desk.confirm(await propose(desk, CancelPost(post=key)))
    assert desk.record("schedule", f"numbers-{key}") is None
    assert "no post" in (await propose(desk, PostNumbers(post=key, keep="yes"))).say

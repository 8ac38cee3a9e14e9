"""Content: brief, draft, edit, publish; the blog is a real git repository, and published once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stories.company import approve, company, ends_well, lines_of, model_calls, records, weather

WORDED = "Cakes, music and a tombola: come to our summer fair, everybody is welcome."


@pytest.mark.parametrize("name", weather("a model", "nonsense"))
async def test_a_brief_becomes_a_draft_an_edit_and_one_commit(tmp_path: Path, name: str) -> None:
    async with company(tmp_path, name, WORDED) as house:
        await house.operator("write a blog post about our summer fair")
        (draft,) = records(house, "post")
        assert draft["status"] == "draft"
        assert draft["channel"] == "blog"
        assert draft["text"] == (WORDED if name == "a model" else "Our summer fair.")
        if name == "a model":
            assert model_calls(house), "what was asked is on the bill"
        await house.operator("publish the post")
        card = house.card()
        assert card.state == "pending"
        assert list(lines_of(tmp_path / "site")) == ["Begin"]
        await house.press("Edit", card.id, edits={"0.body": "Come to our summer fair on the green."})
        assert any("green" in change for change in house.card().changes)
        await approve(house)
        assert len(list(lines_of(tmp_path / "site"))) == 2
        (post,) = records(house, "post")
        assert post["status"] == "published"
        await house.later(hours=1)
        assert len(list(lines_of(tmp_path / "site"))) == 2
        ends_well(house)

import asyncio
import base64
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import ConnectorError, OutcomeUnknownError, RefusedError, TryLaterError
from connectors.client import FAILURES_MAX, REST_S, TRIES, WAIT_MAX_S, Breaker, Client, Pace, Redactor

SECRET = "hunter2-very-secret"


class World:
    """A service that answers from a list of answers, a clock, and what was waited."""

    def __init__(self):
        self.answers = []
        self.seen = []
        self.waited = []
        self.time = 0.0
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((request.method, request.path, await request.read()))
        how = self.answers.pop(0) if self.answers else 200
        if how == "drop":
            request.transport.abort()
            return web.Response()
        if isinstance(how, int):
            return web.json_response({"ok": how < 400}, status=how)
        return how

    async def pause(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.time += seconds

    def client(self, **changes) -> Client:
        facts = {"base_url": self.url, "pause": self.pause, "monotonic": lambda: self.time, "timeout_s": 5}
        return Client("Acme", **(facts | changes))


@asynccontextmanager
async def opened(world, **changes):
    client = world.client(**changes)
    try:
        yield client
    finally:
        await client.close()


@pytest.fixture
async def world():
    it = World()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", it.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    it.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield it
    await runner.cleanup()


async def test_a_good_answer_is_handed_over(world):
    async with opened(world) as client:
        assert (await client.request("GET", "/x")).json() == {"ok": True}


async def test_a_read_is_tried_again_with_growing_waits(world):
    world.answers = [500, "drop"]
    async with opened(world) as client:
        assert (await client.request("GET", "/x")).status == 200
    assert len(world.seen) == 3


@pytest.mark.parametrize("failure", ["drop", 500, 502, 503])
async def test_a_write_of_unknown_outcome_is_never_sent_twice(world, failure):
    world.answers = [failure]
    async with opened(world) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.request("POST", "/x", json={})
    assert len(world.seen) == 1


@pytest.mark.parametrize("failure", ["drop", 500, 409])
async def test_the_same_write_with_a_key_the_service_knows_is_sent_again(world, failure):
    world.answers = [failure]
    async with opened(world) as client:
        await client.request("POST", "/x", json={}, repeatable=True)
    assert len(world.seen) == 2


async def test_a_keyed_write_that_keeps_failing_ends_as_unknown(world):
    world.answers = ["drop"] * TRIES
    async with opened(world) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.request("POST", "/x", json={}, repeatable=True)
    assert len(world.seen) == TRIES


async def test_too_many_requests_means_that_nothing_happened_and_the_wait_is_kept(world):
    world.answers = [web.Response(status=429, headers={"Retry-After": "2"})]
    async with opened(world) as client:
        await client.request("POST", "/x", json={})
    assert max(world.waited) >= 2


async def test_a_long_wait_is_left_to_the_runner(world):
    world.answers = [web.Response(status=429, headers={"Retry-After": "3600"})]
    async with opened(world) as client:
        with pytest.raises(TryLaterError) as failure:
            await client.request("POST", "/x", json={})
    assert failure.value.retry_after_s == 3600
    assert len(world.seen) == 1
    assert sum(world.waited) <= WAIT_MAX_S


async def test_503_with_a_time_to_come_back_means_it_was_not_taken(world):
    world.answers = [web.Response(status=503, headers={"Retry-After": "1"}) for _ in range(TRIES)]
    async with opened(world) as client:
        with pytest.raises(TryLaterError, match="503"):
            await client.request("POST", "/x", json={})


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_a_no_is_a_no_with_the_services_own_words(world, status):
    world.answers = [web.json_response({"error": {"message": "no such thing"}}, status=status)]
    async with opened(world) as client:
        with pytest.raises(RefusedError, match=f"Acme answered {status}: no such thing"):
            await client.request("POST", "/x", json={})
    assert len(world.seen) == 1


async def test_a_redirect_is_not_followed(world):
    world.answers = [web.Response(status=302, headers={"Location": f"{world.url}/elsewhere"})]
    async with opened(world) as client:
        with pytest.raises(RefusedError, match="redirects are not followed"):
            await client.request("GET", "/x")
    assert len(world.seen) == 1


async def test_a_service_that_is_not_there_got_nothing(world):
    async with opened(world, base_url="http://127.0.0.1:1") as client:
        with pytest.raises(TryLaterError, match="Nothing was sent"):
            await client.request("POST", "/x", json={})


async def test_a_hanging_service_is_given_up(world):
    async def never(_):
        await asyncio.Event().wait()

    world.answer = never
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", never)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with opened(world, base_url=f"http://127.0.0.1:{runner.addresses[0][1]}", timeout_s=0.5) as client:
        with pytest.raises(OutcomeUnknownError, match="broke off"):
            await client.request("POST", "/x", json={})
        with pytest.raises(TryLaterError):
            await client.request("GET", "/x")
    await runner.cleanup()


async def test_an_endless_answer_is_not_read(world):
    world.answers = [web.Response(body=b"x" * 2_000)]
    async with opened(world, bytes_max=1_000) as client:
        with pytest.raises(TryLaterError, match="more than 1000 bytes"):
            await client.request("GET", "/x")


async def test_an_answer_that_is_no_json_is_what_the_call_makes_of_it(world):
    world.answers = [web.Response(text="<html>"), web.Response(text="<html>")]
    async with opened(world) as client:
        with pytest.raises(TryLaterError):
            (await client.request("GET", "/x")).json()
        with pytest.raises(OutcomeUnknownError):
            (await client.request("POST", "/x", json={})).json()


# ── the breaker ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_failing_service_gets_a_rest_and_then_one_trial(world):
    world.answers = [500] * FAILURES_MAX
    async with opened(world, tries=1) as client:
        for _ in range(FAILURES_MAX):
            with pytest.raises(TryLaterError, match="500"):
                await client.request("GET", "/x")
        with pytest.raises(TryLaterError, match="rests for another") as failure:
            await client.request("GET", "/x")
        assert failure.value.retry_after_s == pytest.approx(REST_S, abs=1)
        assert len(world.seen) == FAILURES_MAX
        world.time += REST_S
        await client.request("GET", "/x")
        assert client.breaker.state == "closed"


async def test_a_service_that_says_no_is_alive(world):
    world.answers = [404] * (FAILURES_MAX + 1)
    async with opened(world) as client:
        for _ in range(FAILURES_MAX + 1):
            with pytest.raises(RefusedError):
                await client.request("GET", "/x")
        assert client.breaker.state == "closed"


def test_a_failed_trial_is_another_rest_and_only_one_call_tries():
    clock = [0.0]
    breaker = Breaker("Acme", failures_max=2, rest_s=10, monotonic=lambda: clock[0])
    breaker.failed()
    assert breaker.state == "closed"
    breaker.failed()
    assert breaker.state == "open"
    clock[0] = 10
    assert breaker.state == "half-open"
    breaker.check()
    with pytest.raises(TryLaterError):
        breaker.check()
    breaker.failed()
    clock[0] = 19
    with pytest.raises(TryLaterError):
        breaker.check()
    clock[0] = 20
    breaker.check()
    breaker.succeeded()
    breaker.check()
    breaker.failed()
    assert breaker.state == "closed"


# ── the pace ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_few_calls_go_at_once_and_then_each_waits_its_turn():
    pace = Pace(60, burst=3, monotonic=lambda: 100.0)

    assert [pace.wait_s() for _ in range(6)] == [0, 0, 0, 1, 2, 3]


def test_a_queue_too_long_is_sent_away_and_takes_no_token():
    clock = [100.0]
    pace = Pace(60, burst=1, monotonic=lambda: clock[0])
    with pytest.raises(TryLaterError) as failure:
        [pace.wait_s() for _ in range(100)]
    assert failure.value.retry_after_s > WAIT_MAX_S
    clock[0] += WAIT_MAX_S + 1
    assert pace.wait_s() == 0


@given(st.lists(st.floats(0, 5), min_size=1, max_size=60))
def test_no_minute_ever_sees_more_than_its_share(gaps):
    clock, used = [0.0], []
    pace = Pace(60, burst=5, monotonic=lambda: clock[0])
    for gap in gaps:
        clock[0] += gap
        try:
            used.append(clock[0] + pace.wait_s())
        except TryLaterError:
            continue
    assert all(sum(1 for other in used if moment <= other < moment + 10 - 1e-6) <= 10 + 5 for moment in used)


async def test_calls_keep_the_pace(world):
    async with opened(world, rate_per_minute=60) as client:
        for _ in range(12):
            await client.request("GET", "/x")
    assert sum(world.waited) == pytest.approx(3, abs=1.1)


async def test_only_so_many_calls_run_at_once():
    running = [0, 0]

    async def slow(_):
        running[0] += 1
        running[1] = max(running)
        await asyncio.sleep(0.01)
        running[0] -= 1
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", slow)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    client = Client("Acme", base_url=f"http://127.0.0.1:{runner.addresses[0][1]}", at_once=2, rate_per_minute=6_000)
    await asyncio.gather(*(client.request("GET", "/x") for _ in range(8)))
    await client.close()
    await runner.cleanup()
    assert running[1] == 2


# ── secrets ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "quoted",
    [
        SECRET,
        f"Bearer {SECRET}",
        f"https://x/?key={SECRET}",
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(f"user:{SECRET}".encode()).decode(),
        base64.b64encode(f"\0u\0{SECRET}".encode()).decode(),
        f"https://anna:{SECRET}@acme.example/",
    ],
)
async def test_a_service_that_quotes_our_secret_does_not_get_it_into_an_error(world, quoted):
    world.answers = [web.json_response({"error": f"bad credentials {quoted}"}, status=401) for _ in range(2)]
    async with opened(world, headers={"Authorization": f"Bearer {SECRET}"}) as client:
        with pytest.raises(ConnectorError) as failure:
            await client.request("GET", "/x")
        assert "[secret]" in str(failure.value)
        assert quoted not in str(failure.value)
        assert SECRET not in str(failure.value)
    async with opened(world) as twin:  # without the knowledge of the secret only its shape could be seen
        with pytest.raises(ConnectorError) as failure:
            await twin.request("GET", "/x")
        if quoted == SECRET:
            assert SECRET in str(failure.value)


@pytest.mark.parametrize(
    "shape",
    [
        "sk_live_abcdef1234567890",
        "whsec_abcdef1234567890",
        "xoxb-123456-abcdef",
        "Basic dXNlcjpwYXNz",
        "123456789:AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr",
    ],
)
def test_what_looks_like_a_secret_is_blanked_even_when_nobody_said_so(shape):
    assert Redactor()(f"denied: {shape}.") == "denied: [secret]."


@given(
    st.text(alphabet=st.characters(codec="utf-8"), min_size=8, max_size=30), st.text(max_size=20), st.text(max_size=20)
)
def test_no_secret_survives_wherever_it_stands(secret, before, after):
    assert secret not in Redactor([secret])(f"{before}{secret}{after}").replace("[secret]", "")


def test_ordinary_words_are_left_alone():
    words = "The task-list of risk_management (a basic subscription) was refused: 550 5.1.1 at https://acme.example/a@b"

    assert Redactor(["", "abc"])(words) == words

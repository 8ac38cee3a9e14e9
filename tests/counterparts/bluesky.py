"""A double of a Bluesky server (PDS), as small as our calls need.

It is ours and not Bluesky's: the real one (@atproto/dev-env) takes half a gigabyte of packages. The shapes follow the
published lexicons (com.atproto.server.createSession, com.atproto.repo.putRecord, getRecord, deleteRecord,
app.bsky.feed.post, app.bsky.feed.getPosts, app.bsky.notification.listNotifications), and whatever a call has beside them is refused, as the real one would.
``repo`` is its ledger; ``writes`` counts what took effect.
"""

import contextlib
import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from aiohttp import web

HANDLE, PASSWORD, DID = "berg.bsky.example", "abcd-efgh-ijkl-mnop", "did:plc:ewvi7nxzyoun6zhxrhs64oiz"
COLLECTION = "app.bsky.feed.post"
RKEY = re.compile(r"[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}")  # atproto.com/specs/tid

INPUTS = {
    "com.atproto.server.createSession": ({"identifier", "password"}, {"authFactorToken", "allowTakendown"}),
    "com.atproto.repo.putRecord": ({"repo", "collection", "rkey", "record"}, {"validate", "swapRecord", "swapCommit"}),
    "com.atproto.repo.deleteRecord": ({"repo", "collection", "rkey"}, {"swapRecord", "swapCommit"}),
    "com.atproto.repo.getRecord": ({"repo", "collection", "rkey"}, {"cid"}),
    "app.bsky.feed.getPosts": ({"uris"}, set()),
    "app.bsky.notification.listNotifications": (set(), {"reasons", "limit", "priority", "cursor", "seenAt"}),
}
POST = ({"$type", "text", "createdAt"}, {"facets", "langs", "reply", "embed", "labels", "tags"})


class XrpcError(Exception):
    def __init__(self, status, error, message):
        super().__init__(message)
        self.status, self.error, self.message = status, error, message


@dataclass
class Pds:
    url: str = ""
    repo: dict = field(default_factory=dict)  # rkey → (cid, record)
    writes: Counter = field(default_factory=Counter)
    calls: Counter = field(default_factory=Counter)
    counts: dict = field(default_factory=dict)
    tokens: set = field(default_factory=set)
    said: list = field(default_factory=list)  # what others did, the oldest first: rows of listNotifications

    def expire(self) -> None:
        """Every session runs out."""
        self.tokens.clear()

    def says(
        self, text, *, handle="anna.bsky.example", name="Anna Berg", reason="reply", at="", about="", **record
    ) -> str:
        """Somebody answers, names or quotes us; returns the address of their post."""
        number = len(self.said)
        rkey = "3lxy" + "".join("234567abcd"[int(digit)] for digit in f"{number:0>9}")
        uri = f"at://did:plc:{handle.partition('.')[0]:a<24}/{COLLECTION}/{rkey}"
        at = at or f"2026-03-02T09:{number // 60:02d}:{number % 60:02d}.000Z"
        post = {"$type": COLLECTION, "text": text, "createdAt": at} | record
        _post(post)
        author = {"did": uri.split("/")[2], "handle": handle, "displayName": name}
        row = {"uri": uri, "cid": f"bafyrei{number:0>52}", "author": author, "reason": reason, "record": post}
        self.said.append(
            row | {"isRead": False, "indexedAt": at, "labels": []} | ({"reasonSubject": about} if about else {})
        )
        return uri

    async def answer(self, request: web.Request) -> web.Response:
        name = request.path.removeprefix("/xrpc/")
        self.calls[name] += 1
        try:
            given = dict(request.query) if request.method == "GET" else json.loads(await request.read())
            return web.json_response(self._do(name, given, request))
        except XrpcError as error:
            return web.json_response({"error": error.error, "message": error.message}, status=error.status)

    def _do(self, name, given, request):
        if name not in INPUTS:
            raise XrpcError(501, "MethodNotImplemented", "Method Not Implemented")
        needed, allowed = INPUTS[name]
        _shape(given, needed, allowed, name)
        if name.endswith("createSession"):
            return self._session(given)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not token:
            raise XrpcError(401, "AuthMissing", "Authentication Required")
        if token not in self.tokens:
            raise XrpcError(400, "ExpiredToken", "Token has expired")
        if "repo" in given and given["repo"] not in {DID, HANDLE}:
            raise XrpcError(400, "InvalidRequest", "Could not find repo")
        doing = {
            "putRecord": self._put, "getRecord": self._get, "deleteRecord": self._delete, "getPosts": self._posts,
            "listNotifications": self._notices,
        }  # fmt: skip
        return doing[name.rpartition(".")[2]](given)

    def _session(self, given):
        if (given["identifier"], given["password"]) != (HANDLE, PASSWORD):
            raise XrpcError(401, "AuthenticationRequired", "Invalid identifier or password")
        token = f"token-{self.calls['com.atproto.server.createSession']}"
        self.tokens.add(token)
        return {"did": DID, "handle": HANDLE, "accessJwt": token, "refreshJwt": "refresh", "active": True}

    def _put(self, given):
        rkey, record = given["rkey"], given["record"]
        if not RKEY.fullmatch(rkey):
            raise XrpcError(400, "InvalidRequest", f"Invalid record key: {rkey}")
        _post(record)
        cid, _ = self.repo.get(rkey, (None, None))
        if "swapRecord" in given and given["swapRecord"] != cid:
            raise XrpcError(400, "InvalidSwap", f"Record was at {cid}")
        new = "bafyrei" + hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:52]
        self.repo[rkey] = (new, record)
        self.writes["put"] += 1
        return {"uri": f"at://{DID}/{COLLECTION}/{rkey}", "cid": new, "validationStatus": "valid"}

    def _get(self, given):
        if given["rkey"] not in self.repo:
            raise XrpcError(400, "RecordNotFound", f"Could not locate record: at://{DID}/{COLLECTION}/{given['rkey']}")
        cid, record = self.repo[given["rkey"]]
        return {"uri": f"at://{DID}/{COLLECTION}/{given['rkey']}", "cid": cid, "value": record}

    def _delete(self, given):
        if self.repo.pop(given["rkey"], None):
            self.writes["delete"] += 1
        return {}

    def _notices(self, given):
        limit, start = int(given.get("limit", 50)), int(given.get("cursor", 0))
        if not 1 <= limit <= 100:
            raise XrpcError(400, "InvalidRequest", "Error: limit can not be greater than 100")
        newest = sorted(self.said, key=lambda row: row["indexedAt"], reverse=True)
        page = newest[start : start + limit]
        more = {"cursor": str(start + limit)} if start + limit < len(newest) else {}
        return {"notifications": page, "seenAt": "2026-03-02T09:00:00.000Z", **more}

    def _posts(self, given):
        if theirs := [row for row in self.said if row["uri"] == given["uris"]]:
            return {"posts": [{name: theirs[0][name] for name in ("uri", "cid", "author", "record", "indexedAt")}]}
        rkey = given["uris"].rpartition("/")[2]
        if rkey not in self.repo:
            return {"posts": []}
        return {"posts": [{"uri": given["uris"], "cid": self.repo[rkey][0], **self.counts}]}


def _shape(given, needed, allowed, name):
    if not isinstance(given, dict) or needed - set(given):
        raise XrpcError(400, "InvalidRequest", f"{name}: Input must have {', '.join(sorted(needed))}")
    if set(given) - needed - allowed:
        raise XrpcError(400, "InvalidRequest", f"{name}: unknown {set(given) - needed - allowed}")


def _post(record):
    _shape(record, *POST, COLLECTION)
    text = record["text"]
    if record["$type"] != COLLECTION or len(text.encode()) > 3_000 or len(text) > 300:
        raise XrpcError(400, "InvalidRequest", "Invalid app.bsky.feed.post record: text must not be longer than 300")
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", record["createdAt"]):
        raise XrpcError(400, "InvalidRequest", "Invalid app.bsky.feed.post record: createdAt must be a datetime")
    datetime.fromisoformat(record["createdAt"])
    if "reply" in record:
        _shape(record["reply"], {"root", "parent"}, set(), "app.bsky.feed.post#replyRef")
        for each in record["reply"].values():
            _shape(each, {"uri", "cid"}, set(), "com.atproto.repo.strongRef")
            if not re.fullmatch(rf"at://did:[a-z]+:[^/]+/{re.escape(COLLECTION)}/{RKEY.pattern}", each["uri"]):
                raise XrpcError(400, "InvalidRequest", f"Invalid strong ref: {each['uri']}")
    for facet in record.get("facets", []):
        _shape(facet, {"index", "features"}, set(), "facet")
        start, end = facet["index"]["byteStart"], facet["index"]["byteEnd"]
        if not 0 <= start < end <= len(text.encode()):
            raise XrpcError(400, "InvalidRequest", "Invalid facet")
        text.encode()[start:end].decode()


@contextlib.asynccontextmanager
async def pds():
    it = Pds()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", it.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    it.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield it
    finally:
        await runner.cleanup()

"""A small HTTP client for tests: no retries, no hidden headers, any body at all."""
import json
from dataclasses import dataclass
from typing import Any

import urllib3

POOL = urllib3.PoolManager(num_pools=128, maxsize=64, block=False, retries=False)


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Any
    raw: bytes

    @property
    def body(self) -> Any:
        """The parsed JSON."""
        return json.loads(self.raw)

    def __getitem__(self, key: str) -> Any:
        return self.body[key]


class Client:
    """Calls one root URL as one user.

    Args:
        url: root, as in http://127.0.0.1:19998/v2.1.
        token: token id; None sends none.
        seconds: after so many seconds a call is given up.
    """

    def __init__(self, url: str, token: str | None = None, seconds: float = 30, headers: dict | None = None):
        self.url, self.token, self.seconds, self.headers = url.rstrip("/"), token, seconds, headers or {}

    def call(self, method: str, path: str, body: Any = None, headers: dict | None = None,
             raw: bytes | None = None) -> Answer:
        """One call; `raw` sends those bytes instead of JSON."""
        sent = {"Accept": "application/json", **self.headers, **(headers or {})}
        if self.token:
            sent.setdefault("X-Auth-Token", self.token)
        data = raw
        if body is not None:
            data = json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        url = path if path.startswith("http") else self.url + path
        answer = POOL.request(method, url, body=data, headers=sent, timeout=self.seconds, redirect=False)
        return Answer(answer.status, answer.headers, answer.data)

    def get(self, path: str, **more) -> Answer:
        """GET."""
        return self.call("GET", path, **more)

    def post(self, path: str, body: Any = None, **more) -> Answer:
        """POST."""
        return self.call("POST", path, body, **more)

    def put(self, path: str, body: Any = None, **more) -> Answer:
        """PUT."""
        return self.call("PUT", path, body, **more)

    def delete(self, path: str, **more) -> Answer:
        """DELETE."""
        return self.call("DELETE", path, **more)

    def ok(self, method: str, path: str, body: Any = None, **more) -> Any:
        """The parsed body of a call that must be accepted; None where there is none."""
        answer = self.call(method, path, body, **more)
        assert answer.status < 300, f"{method} {path}: {answer.status} {answer.raw[:500]!r}"
        return answer.body if answer.raw else None

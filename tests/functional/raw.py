"""HTTP with nothing put right: targets, methods and headers go out as they are spelt."""
import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from tests.functional.client import Answer, Client


class Connection(http.client.HTTPConnection):
    """http.client's, less its opinion of methods and targets."""

    def _validate_method(self, method: str) -> None:
        """Take any."""

    def _validate_path(self, url: str) -> None:
        """Take any."""

    def _encode_request(self, request: str) -> bytes:
        return request.encode("latin-1")

    def ask(self, method: str, target: str, data: Any, headers: dict) -> Answer:
        """Send one request, and read its answer.

        Args:
            data: bytes, an iterator of bytes (sent in chunks), or None.

        Raises:
            OSError, http.client.HTTPException: there was no answer.
        """
        headers = headers if "Host" in headers else {"Host": f"{self.host}:{self.port}", **headers}
        self.request(method, target, data, headers, encode_chunked=data is not None and not isinstance(data, bytes))
        answer = self.getresponse()
        return Answer(answer.status, answer.headers, answer.read())


class RawClient(Client):
    """A Client whose paths may be spelt in any way; without a path in its URL, they are whole targets."""

    def call(self, method: str, path: str, body: Any = None, headers: dict | None = None,
             raw: bytes | None = None) -> Answer:
        """One call on a connection of its own, as Client.call."""
        sent = {"Accept": "application/json", **self.headers, **(headers or {})}
        if self.token:
            sent.setdefault("X-Auth-Token", self.token)
        data = json.dumps(body).encode() if body is not None else raw
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        parts = urlsplit(self.url)
        connection = Connection(parts.hostname, parts.port, timeout=self.seconds)
        try:
            return connection.ask(method, parts.path + path, data, sent)
        finally:
            connection.close()

"""The token check: keystonemiddleware, with its failures in the called service's own format."""
import json

import webob
from keystonemiddleware import auth_token

from tricircle.api.message import error_body
from tricircle.errors import Unavailable

RETRY_SECONDS = "5"


class TokenCheck(auth_token.AuthProtocol):
    """Lets a request pass when its token is good.

    Args:
        app: what comes after.
        conf: as keystonemiddleware takes it.
        style: error format, see `message.error_body`.
    """

    def __init__(self, app, conf: dict, style: str):
        super().__init__(app, conf)
        self._style = style

    def process_request(self, request: webob.Request) -> webob.Response | None:
        """401 stays keystonemiddleware's own, which is Keystone's format; its page for 503 becomes JSON."""
        try:
            return super().process_request(request)
        except webob.exc.HTTPServiceUnavailable:
            words = "the token cannot be checked now: Keystone does not answer Tricircle, or refuses its account"
            response = webob.Response(json.dumps(error_body(self._style, Unavailable(words))), 503,
                                      content_type="application/json", charset="UTF-8")
            response.headers["Retry-After"] = RETRY_SECONDS
            return response

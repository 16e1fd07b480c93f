"""The baseline: waitress and urllib3 without any logic. `python -m tests.bench.forwarder PORT URL THREADS`."""
import sys

import urllib3
import waitress

HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "server", "date"}


def application(root: str, threads: int):
    """Forward everything as it comes."""
    pool = urllib3.PoolManager(num_pools=64, maxsize=threads, retries=False)

    def forward(environ, start_response):
        headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items()
                   if name.startswith("HTTP_") and name not in ("HTTP_HOST", "HTTP_CONNECTION")}
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length:
            headers["content-type"] = environ["CONTENT_TYPE"]
        answer = pool.request(environ["REQUEST_METHOD"], root + environ["REQUEST_URI"], headers=headers,
                              body=environ["wsgi.input"].read(length) or None, redirect=False)
        start_response(f"{answer.status} {answer.reason}", [
            (name, value) for name, value in answer.headers.items() if name.lower() not in HOP])
        return [answer.data]

    return forward


if __name__ == "__main__":
    waitress.serve(application(sys.argv[2], int(sys.argv[3])), host="127.0.0.1", port=int(sys.argv[1]),
                   threads=int(sys.argv[3]), connection_limit=1000, asyncore_use_poll=True)

"""Answers of a pod that no stand-in would give."""


def spoken(cloud, service, pattern, answer, pod="Pod2"):
    """Let a test answer in a service's place, byte by byte.

    Args:
        cloud: stand-in.
        service: of the pod.
        pattern: regular expression of `METHOD path`.
        answer: gives (status, headers, body) of a handler.
        pod: its name.

    Returns:
        The handlers that were asked.
    """
    seen = []

    def speak(handler):
        handler.rfile.read(int(handler.headers.get("content-length") or 0))
        seen.append(handler)
        status, headers, body = answer(handler)
        handler.send_response(status)
        for name, value in headers:
            handler.send_header(name, value)
        if status != 304:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if status != 304 and handler.command != "HEAD":
            handler.wfile.write(body)
    getattr(cloud[pod], service).faults.spoken[pattern] = speak
    return seen

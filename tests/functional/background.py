"""A call that goes on in the background, to be cut off or overtaken."""
import threading

import urllib3


def background(call):
    """Run a call in a thread; its answer or error goes to the returned list."""
    found = []

    def run():
        try:
            found.append(call())
        except urllib3.exceptions.HTTPError as error:
            found.append(error)
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    found.append(thread)
    return found


def answer_of(found, seconds=20):
    """What a background call has given."""
    found[0].join(seconds)
    assert len(found) == 2, "the call did not come back"
    return found[1]

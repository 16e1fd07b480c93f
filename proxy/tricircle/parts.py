"""Many ids in few questions."""
from collections.abc import Iterator, Sequence
from typing import TypeVar

IDS = 100   # 100 UUIDs are 4 kB of URL, and servers take 8
Item = TypeVar("Item")


def parts(items: Sequence[Item], most: int = IDS) -> Iterator[Sequence[Item]]:
    """Cut ids into parts that are short enough for the URL of one question."""
    return (items[start:start + most] for start in range(0, len(items), most))

"""Lists of several pods become one. Pure functions over parsed bodies."""
from collections.abc import Container, Iterable, Mapping
from typing import Any


def collection_key(document: Any) -> str | None:
    """The field that holds the records: the only list that is not `*_links`; None when there is no such thing."""
    if not isinstance(document, dict):
        return None
    names = [name for name, value in document.items() if isinstance(value, list) and not name.endswith("_links")]
    return names[0] if len(names) == 1 else None


def dig(record: Any, field: str) -> Any:
    """A field of a record; dots go into nested objects."""
    for name in field.split("."):
        record = record.get(name) if isinstance(record, dict) else None
    return record


def unique(records: Iterable[dict], natural: str) -> list[dict]:
    """The first record for each value of a natural key; records without it stay."""
    seen, kept = set(), []
    for record in records:
        value = dig(record, natural)
        if value is not None and value in seen:
            continue
        seen.add(value)
        kept.append(record)
    return kept


def gathered(lists: Mapping[str, list[dict]], field: str, replicas: Mapping[str, Container[str]]) -> list[dict]:
    """Each home's record with what its replicas add to a list in it; replicas of what is not there are left out.

    Args:
        lists: {pod: records}.
        field: the list in a record.
        replicas: {pod: ids of the records that are replicas there, which are their homes' ids}.
    """
    homes = {record["id"]: {**record, field: list(record.get(field) or [])} for pod, records in lists.items()
             for record in records if record["id"] not in replicas[pod]}
    for pod, records in lists.items():
        for record in records:
            if record["id"] in replicas[pod] and record["id"] in homes:
                homes[record["id"]][field] += record.get(field) or []
    return list(homes.values())


def common(documents: Mapping[str, Any], key: str, natural: str) -> list[dict]:
    """The records that every pod has, as the first pod shows them."""
    bodies = list(documents.values())
    shared = set.intersection(*({dig(record, natural) for record in body.get(key) or []} for body in bodies))
    return [record for record in bodies[0].get(key) or [] if dig(record, natural) in shared]


def ordered(records: list[dict], keys: list[tuple[str, bool]]) -> list[dict]:
    """Sort by several keys, stable, so that equal records keep the order of the pods.

    Args:
        records: of all pods.
        keys: (field, descending), the most significant first. A field that no record shows is passed over: brief
            lists do not carry every field that can be sorted by.
    """
    for field, descending in reversed(keys):
        if any(field in record for record in records):
            records = sorted(records, key=lambda record, name=field: _rank(record.get(name)), reverse=descending)
    return records


def _rank(value: Any) -> tuple:
    """None sorts first, as SQL's NULL does; whatever else meets in one field can be compared."""
    if value is None:
        return (0, 0)
    return (1, value) if isinstance(value, int | float) else (2, str(value))


def page(records: list[dict], marker: str | None, offset: int, limit: int | None,
         field: str = "id") -> tuple[list[dict], bool]:
    """Cut one page.

    Args:
        records: all, in order.
        marker: value of a field of the last record of the page before.
        offset: how many records behind it are passed over.
        limit: largest size of the page.
        field: which one the marker is.

    Returns:
        (the page, whether the marker was found).
    """
    start, found = 0, True
    if marker:
        places = [place for place, record in enumerate(records)
                  if (value := dig(record, field)) is not None and str(value) == marker]
        found, start = bool(places), places[0] + 1 if places else 0
    rest = records[start + offset:]
    return rest if limit is None else rest[:limit], found


def combine(documents: Mapping[str, Any], key: str) -> dict:
    """Bodies of several pods as one, without paging.

    Args:
        documents: {pod: body}, in the order in which records shall stand.
        key: the collection's field.

    Returns:
        The first body with the records of all; counters (Cinder's `count`) are added up.
    """
    bodies = list(documents.values())
    merged = {name: value for name, value in bodies[0].items() if not name.endswith("_links")}
    merged[key] = [record for body in bodies for record in body.get(key) or []]
    if isinstance(merged.get("count"), int):
        merged["count"] = sum(body.get("count", 0) for body in bodies)
    return merged


def add_up(values: list[Any]) -> Any:
    """The same thing as several pods count it: numbers are added, lists joined, of anything else the first is taken.

    What a pod says in another form than the first one does not count.
    """
    first = values[0]
    form = next((each for each in (dict, list, int | float) if isinstance(first, each)), object)
    values = [value for value in values if isinstance(value, form)]
    if isinstance(first, dict):
        fields = dict.fromkeys(field for value in values for field in value)
        return {field: add_up([value[field] for value in values if field in value]) for field in fields}
    if isinstance(first, list):
        joined = [item for value in values for item in value]
        return joined if any(isinstance(item, dict | list) for item in joined) else list(dict.fromkeys(joined))
    return sum(values) if isinstance(first, int | float) and not isinstance(first, bool) else first

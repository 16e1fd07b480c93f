"""What a value in a body must look like. A check returns the value as stored, or raises ValueError with the reason."""
import ipaddress
import re
import uuid
from collections.abc import Callable
from typing import Any

Check = Callable[[Any], Any]
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def text(most: int = 255, least: int = 0, pattern: str = "") -> Check:
    """A string of so many characters."""
    def check(value):
        if not isinstance(value, str):
            raise ValueError(f"'{value}' is not a valid string.")
        if not least <= len(value) <= most:
            raise ValueError(f"'{value[:80]}' does not have between {least} and {most} characters.")
        if CONTROL.search(value):
            raise ValueError("control characters are not allowed.")
        if pattern and not re.search(pattern, value):
            raise ValueError(f"'{value}' does not match '{pattern}'.")
        return value
    return check


def integer(least: int = -(1 << 31), most: int = (1 << 31) - 1) -> Check:
    """A whole number, or its decimal string."""
    def check(value):
        if isinstance(value, bool) or not isinstance(value, int | str) or not re.fullmatch(r"-?\d{1,20}", str(value)):
            raise ValueError(f"'{str(value)[:80]}' is not an integer.")
        if not least <= int(value) <= most:
            raise ValueError(f"'{value}' is not in the range {least} to {most}.")
        return int(value)
    return check


def boolean(value: Any) -> bool:
    """True or false, or what OpenStack takes for it."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str | int) and str(value).strip().lower() in ("true", "1", "yes", "on", "t", "y"):
        return True
    if isinstance(value, str | int) and str(value).strip().lower() in ("false", "0", "no", "off", "f", "n"):
        return False
    raise ValueError(f"'{str(value)[:80]}' cannot be converted to boolean.")


def identifier(value: Any) -> str:
    """A UUID."""
    try:
        return value if str(uuid.UUID(value)) == value.lower() else _not_uuid(value)
    except (ValueError, AttributeError, TypeError):
        return _not_uuid(value)


def _not_uuid(value):
    raise ValueError(f"'{str(value)[:80]}' is not a valid UUID.")


def address(value: Any) -> str:
    """An IP address."""
    if isinstance(value, str):
        try:
            return str(ipaddress.ip_address(value))
        except ValueError:
            pass
    raise ValueError(f"'{str(value)[:80]}' is not a valid IP address.")


def cidr(value: Any) -> str:
    """A network such as 10.0.0.0/24; host bits are cut off, as Neutron does."""
    if isinstance(value, str) and "/" in value:
        try:
            return str(ipaddress.ip_network(value, strict=False))
        except ValueError:
            pass
    raise ValueError(f"'{str(value)[:80]}' is not a valid IP subnet.")


def route_cidr(value: Any) -> str:
    """A route's destination: host bits are refused."""
    try:
        net = ipaddress.ip_network(value, strict=False) if isinstance(value, str) else None
    except ValueError:
        net = None
    if net is None:
        raise ValueError(f"'{str(value)[:80]}' is not a valid CIDR.")
    if "/" not in value or ipaddress.ip_address(value.partition("/")[0]) != net.network_address:
        raise ValueError(f"'{value[:80]}' is not a recognized CIDR, '{net}' is recommended.")
    return str(net)


def one_of(*allowed: Any) -> Check:
    """One of a few values."""
    def check(value):
        if isinstance(value, dict | list) or value not in allowed:
            raise ValueError(f"'{str(value)[:80]}' is not in {list(allowed)}.")
        return value
    return check


def many(check: Check, most: int = 10000, least: int = 0) -> Check:
    """A list of such values."""
    def checked(value):
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise ValueError(f"'{str(value)[:80]}' is not a list.")
        return [check(each) for each in value]
    return checked


def either(*checks: Check) -> Check:
    """What one of the checks takes."""
    def checked(value):
        for check in checks[:-1]:
            try:
                return check(value)
            except ValueError:
                continue
        return checks[-1](value)
    return checked


def nullable(check: Check) -> Check:
    """Such a value, or null."""
    return lambda value: None if value is None else check(value)


def nothing(value: Any) -> None:
    """Null, or an empty object, which Neutron takes for it where it wants an object."""
    if value not in (None, {}):
        raise ValueError(f"'{str(value)[:80]}' is not empty.")


def mapping(least: int = 0, value_check: Check | None = None) -> Check:
    """An object with string values (metadata, extra specs)."""
    inner = value_check or text()

    def check(value):
        if not isinstance(value, dict) or len(value) < least:
            raise ValueError(f"'{str(value)[:80]}' is not of type 'object'.")
        return {text(255, 1)(key): inner(each) for key, each in value.items()}
    return check


def fields(required: tuple[str, ...] = (), open_ended: bool = False, **checks: Check) -> Check:
    """An object of named fields; `open_ended` lets unknown ones pass."""
    def check(value):
        if not isinstance(value, dict):
            raise ValueError(f"'{str(value)[:80]}' is not of type 'object'.")
        for name in required:
            if name not in value:
                raise ValueError(f"'{name}' is a required property.")
        found = {}
        for name, each in value.items():
            plain = name.replace(":", "__").replace("-", "_")
            if plain not in checks:
                if not open_ended:
                    raise ValueError(f"Additional properties are not allowed ('{name[:80]}' was unexpected).")
                continue
            try:
                found[name] = checks[plain](each)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        return found
    return check


def anything(value: Any) -> Any:
    """Any JSON at all."""
    return value

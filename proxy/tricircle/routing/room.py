"""Whether a request fits into what is left of a quota. Pure."""
from dataclasses import dataclass

from tricircle.routing.takes import Amount
from tricircle.routing.usage import UNLIMITED
from tricircle.store.claims import Key


@dataclass(frozen=True)
class Room:
    """What is known when a request is decided on.

    Args:
        limits: {key: the big region's limit}.
        used: {key: what the pods count, all in all}.
        claims: rows of the project's claims, as `store.claims.of_project` gives them.
        counted: ids of the claims that `used` surely contains.
    """

    limits: dict[Key, int]
    used: dict[Key, int]
    claims: list[dict]
    counted: frozenset[str]

    def taken(self) -> dict[Key, int]:
        """What claims take that may not be in `used` yet; those of which nobody has looked how much, as nothing."""
        found: dict[Key, int] = {}
        for row in self.claims:
            if row["claim_id"] not in self.counted and row["amount"] is not None:
                key = row["service"], row["name"]
                found[key] = found.get(key, 0) + row["amount"]
        return found

    def unknown(self, amount: Amount) -> bool:
        """Whether there is a claim on one of the services of which nobody has looked how much it takes."""
        services = {service for service, _ in amount.units}
        return any(row["amount"] is None and row["service"] in services and row["claim_id"] not in self.counted
                   for row in self.claims)

    def at_best(self, amount: Amount) -> int:
        """How many fit when everything in flight is counted already, or fails."""
        return self._fits(amount, {})

    def at_worst(self, amount: Amount) -> int:
        """How many fit when nothing in flight is counted, and all of it succeeds."""
        return self._fits(amount, self.taken())

    def _fits(self, amount: Amount, taken: dict[Key, int]) -> int:
        fits = amount.most
        for key, unit in amount.units.items():
            limit = self.limits.get(key, UNLIMITED)
            if limit != UNLIMITED:
                fits = min(fits, (limit - self.used.get(key, 0) - taken.get(key, 0)) // unit)
        return max(fits, 0)

    def over(self, amount: Amount) -> dict[Key, tuple[int, int]]:
        """{key: (limit, used)} of what an amount passes, by name; claims count as used where they decide."""
        taken = {} if self.at_best(amount) < amount.least else self.taken()
        found = {}
        for key, unit in sorted(amount.units.items()):
            limit, used = self.limits.get(key, UNLIMITED), self.used.get(key, 0) + taken.get(key, 0)
            if limit != UNLIMITED and used + unit * amount.most > limit:
                found[key] = limit, used
        return found

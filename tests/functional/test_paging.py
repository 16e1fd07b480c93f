"""Rows come and go between two pages: what is there throughout is seen exactly once."""
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.functional.client import Client
from tests.functional.user import User

MOVES = st.lists(st.lists(st.tuples(st.sampled_from(["add", "drop"]), st.sampled_from(["Pod1", "Pod2"]),
                                    st.integers(0, 20)), max_size=3), min_size=1, max_size=6)


class Shelf:
    """Networks of one project, made and deleted in the pods directly; what was never deleted is kept track of."""

    def __init__(self, cloud, user):
        self.pods = {pod.name: Client(pod.network.server.url + "/v2.0", user.token.id) for pod in cloud}
        self.rows = {name: [] for name in self.pods}
        self.number = 0

    def add(self, pod, position=0):
        """One more."""
        self.number += 1
        body = {"network": {"name": f"n{(position * 7 + self.number) % 50}"}}
        self.rows[pod].append(self.pods[pod].ok("POST", "/networks", body)["network"]["id"])

    def drop(self, pod, position, spared):
        """One less, but not the marker: a marker that is gone is an error in Neutron, too."""
        choice = [id for id in self.rows[pod] if id != spared]
        if choice:
            id = choice[position % len(choice)]
            self.rows[pod].remove(id)
            self.pods[pod].ok("DELETE", f"/networks/{id}")

    def all(self):
        """Ids that are there now."""
        return {id for rows in self.rows.values() for id in rows}

    def clear(self):
        """Everything off."""
        for name, rows in self.rows.items():
            for id in list(rows):
                self.pods[name].ok("DELETE", f"/networks/{id}")
                rows.remove(id)


@pytest.mark.parametrize("sort", ["", "&sort_key=name&sort_dir=asc", "&sort_key=created_at&sort_dir=desc"])
def test_what_stays_is_seen_once(cloud, gateway, sort):
    user = User(gateway)
    shelf = Shelf(cloud, user)

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(first=st.tuples(st.integers(0, 5), st.integers(0, 5)), limit=st.integers(1, 4), moves=MOVES)
    def run(first, limit, moves):
        try:
            for pod, count in zip(("Pod1", "Pod2"), first, strict=True):
                for position in range(count):
                    shelf.add(pod, position)
            throughout, seen, marker = shelf.all(), [], None
            for number in range(40):
                query = f"/networks?limit={limit}{sort}" + (f"&marker={marker}" if marker else "")
                page = [row["id"] for row in user.network.ok("GET", query)["networks"]]
                if not page:
                    break
                seen += page
                marker = page[-1]
                for move, pod, position in moves[number] if number < len(moves) else ():
                    if move == "add":
                        shelf.add(pod, position)
                    else:
                        shelf.drop(pod, position, marker)
                throughout &= shelf.all()
        finally:
            shelf.clear()     # what an example leaves would be another one's failure
        assert len(seen) == len(set(seen))
        assert throughout <= set(seen)
    run()

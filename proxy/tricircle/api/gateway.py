"""What every request handler works with."""
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field

from oslo_config import cfg

from tricircle import config
from tricircle.api.door import Door
from tricircle.api.policy import Policy
from tricircle.routing.empty_pods import EmptyPods
from tricircle.routing.locator import Locator
from tricircle.routing.pooling import Pools
from tricircle.routing.zones import Zones
from tricircle.store import Database
from tricircle.upstream.account import Account
from tricircle.upstream.client import Answer, Upstream

# A pod in which a project uses nothing of a quota is passed over for so many times longer than by the project's lists.
# So a create is as fast as at the pod, and what the project makes straight at such a pod meanwhile counts later.
QUOTAS_LONGER = 60


@dataclass(frozen=True)
class Known:
    """What pods answered to a question that is the same for all users.

    Args:
        until: of the monotonic clock.
        names: of the pods that were asked.
        answers: of those that gave one.
        others: what else they said: a redirect, or that there is nothing.
    """

    until: float
    names: list[str]
    answers: dict[str, Answer]
    others: dict[str, Answer] = field(default_factory=dict)

    def fresh(self, names: list[str]) -> bool:
        """Whether it may still be believed, for these pods."""
        return self.names == names and time.monotonic() < self.until


@dataclass
class Gateway:
    """The parts of one API process.

    Args:
        conf: tricircle.conf.
        db: the state.
        upstream: calls to pods.
        locator: finds homes.
        zones: translates availability zones.
        policy: who may use the admin API.
        pools: hands out prefixes of subnet pools.
        door: lets requests in, and no project's more than its share.
        empty_pods: in which pods a project has nothing, as a user has seen.
        unused_pods: in which pods a project uses nothing of a quota.
        version_answers: the pods' version documents, by service and path.
        version_locks: who asks for them.
    """

    conf: cfg.ConfigOpts
    db: Database
    upstream: Upstream
    locator: Locator
    zones: Zones
    policy: Policy
    pools: Pools
    door: Door
    empty_pods: EmptyPods
    unused_pods: EmptyPods
    version_answers: dict[tuple[str, str], Known] = field(default_factory=dict)
    version_locks: dict[tuple[str, str], threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))

    @classmethod
    def build(cls, conf: cfg.ConfigOpts) -> "Gateway":
        """Put the parts together."""
        db = Database(config.database_path(conf))
        upstream = Upstream(conf, Account(conf))
        return cls(conf, db, upstream, Locator(db, upstream), Zones(upstream), Policy(conf),
                   Pools(db, upstream), Door(conf), EmptyPods(conf.pods.empty_pod_rate),
                   EmptyPods(conf.pods.empty_pod_rate / QUOTAS_LONGER))

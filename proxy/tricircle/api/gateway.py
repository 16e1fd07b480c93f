"""What every request handler works with."""
from dataclasses import dataclass, field

from oslo_config import cfg

from tricircle import config
from tricircle.api.door import Door
from tricircle.api.policy import Policy
from tricircle.routing.locator import Locator
from tricircle.routing.pooling import Pools
from tricircle.routing.zones import Zones
from tricircle.store import Database
from tricircle.upstream.account import Account
from tricircle.upstream.client import Answer, Upstream


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
        version_answers: the pods' version documents, {(service, path): (good until, pods asked, {pod: answer})}.
    """

    conf: cfg.ConfigOpts
    db: Database
    upstream: Upstream
    locator: Locator
    zones: Zones
    policy: Policy
    pools: Pools
    door: Door
    version_answers: dict[tuple[str, str], tuple[float, list[str], dict[str, Answer]]] = field(default_factory=dict)

    @classmethod
    def build(cls, conf: cfg.ConfigOpts) -> "Gateway":
        """Put the parts together."""
        db = Database(config.database_path(conf))
        upstream = Upstream(conf, Account(conf))
        return cls(conf, db, upstream, Locator(db, upstream), Zones(upstream), Policy(conf),
                   Pools(db, upstream), Door(conf))

"""`/healthcheck`: oslo.middleware's, which is how OpenStack's services are drained; ours is the look at the store."""
from collections.abc import Callable

from oslo_config import cfg
from oslo_middleware.healthcheck import Healthcheck, opts, pluginbase

from tricircle import config
from tricircle.store import Database

PATH = "/healthcheck"
BACKENDS = ["disable_by_file", "tricircle_store"]


class Store(pluginbase.HealthcheckBaseExtension):
    """Backend `tricircle_store`: whether the database can be read. Pods and Keystone are not asked."""

    def __init__(self, oslo_conf: cfg.ConfigOpts, conf: dict):
        super().__init__(oslo_conf, conf)
        self._db = Database(config.database_path(oslo_conf))

    def healthcheck(self, server_port: int) -> pluginbase.HealthcheckResult:
        """Where it is and what is wrong with it is told with `[healthcheck]detailed` only."""
        trouble = self._db.trouble()
        if trouble:
            return pluginbase.HealthcheckResult(available=False, reason="DATABASE UNUSABLE",
                                                details=f"{self._db.path}: {trouble}")
        return pluginbase.HealthcheckResult(available=True, reason="OK")


def application(conf: cfg.ConfigOpts) -> Callable:
    """The WSGI application behind `/healthcheck`.

    Args:
        conf: its group `healthcheck` is oslo.middleware's, with our own defaults for backends and file.
    """
    cfg.set_defaults(opts.HEALTHCHECK_OPTS, backends=BACKENDS)
    cfg.set_defaults(opts.DISABLE_BY_FILE_OPTS, disable_by_file_path="$state_path/disabled")
    return Healthcheck(None, conf)

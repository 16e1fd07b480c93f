"""Options of tricircle.conf. `oslo-config-generator --namespace tricircle` prints the sample."""
from pathlib import Path

from oslo_config import cfg

from tricircle.addresses import network

DEFAULT = [
    cfg.BoolOpt("debug", default=False, help="Log each call to a pod."),
    cfg.StrOpt("log_format", default="text", choices=["text", "json"],
               help="Form of the log's lines; those of requests and audits are name=value or fields of the object."),
    cfg.StrOpt("state_path", default="/var/lib/tricircle",
               help="Folder of the database (tricircle.sqlite) and of the jobs' working folders (jobs/)."),
]
API = [
    cfg.HostAddressOpt("bind_host", default="0.0.0.0", help="Address to listen on."),  # noqa: S104 - as every API does
    cfg.PortOpt("admin_port", default=19999, help="Port of the admin API (pods, bindings, jobs)."),
    cfg.PortOpt("compute_port", default=19998, help="Port of the Nova API of the big region."),
    cfg.PortOpt("volume_port", default=19997, help="Port of the Cinder API of the big region."),
    cfg.PortOpt("network_port", default=9696, help="Port of the Neutron API of the big region."),
    cfg.IntOpt("processes", default=2, min=1, help="API processes; they share the listening sockets."),
    cfg.IntOpt("threads", default=16, min=1, help="Requests that one process serves at once, for each port."),
    cfg.BoolOpt("pin_processes", default=True,
                help="Keep each API process on one processor, the least busy of those that tricircle serve may use: a "
                     "process runs one of its threads at a time, and on several processors they hinder each other."),
    cfg.IntOpt("max_body_bytes", default=1 << 20, min=1024,
               help="Largest JSON body of a request; beyond it the answer is 413."),
    cfg.IntOpt("max_upload_bytes", default=2 << 30, min=64 << 20,
               help="Largest body that is no JSON; each is kept in a temporary file (in TMPDIR) until a pod has it. "
                    "None is read beyond its first 64 KiB before its token was checked. Any upload has to be in within "
                    "the time that this many bytes take at 1 MiB a second."),
    cfg.IntOpt("uploads", default=16, min=1,
               help="Bodies larger than max_body_bytes that one process takes in at once, for all ports; beyond it the "
                    "answer is 503."),
    cfg.IntOpt("upload_bytes", default=8 << 30, min=64 << 20,
               help="Bytes of them, for which TMPDIR should have room, for each process; beyond it the answer is 503."),
    cfg.FloatOpt("project_share", default=0.5, min=0.01, max=1.0,
                 help="The part of a port's threads, of uploads and of upload_bytes that requests of one project may "
                      "have, each at least one thread and one upload. Beyond it a request waits for two seconds, at "
                      "most eight times its threads do; then the answer is 429 with Retry-After, as it is to an upload "
                      "at once. Its part of upload_bytes bounds an upload, too."),
    cfg.ListOpt("trusted_proxy", item_type=network, default=[],
                help="Addresses and networks (10.0.0.0/28, 2001:db8::/64) of proxies whose X-Forwarded-Proto, -Host, "
                     "-Port and -Prefix are believed: links in answers begin with them. They may open any number of "
                     "connections."),
]
SERVICE_ACCOUNT = [
    cfg.URIOpt("auth_url", help="Keystone, as in http://controller:5000/v3."),
    cfg.StrOpt("username", default="tricircle", help="User for plumbing and replicas; needs roles admin and service."),
    cfg.StrOpt("password", secret=True, help="Its password."),
    cfg.StrOpt("project_name", default="service", help="Project that owns the bridge networks."),
    cfg.StrOpt("user_domain_name", default="Default", help="Domain of the user."),
    cfg.StrOpt("project_domain_name", default="Default", help="Domain of the project."),
    cfg.StrOpt("cafile", help="CA bundle for Keystone and the pods, where they speak TLS; the system's by default."),
]
PODS = [
    cfg.StrOpt("top_region", default="RegionOne", help="Keystone region that is Tricircle itself."),
    cfg.StrOpt("interface", default="public", choices=["public", "internal", "admin"],
               help="Which of a pod's endpoints to call."),
    cfg.FloatOpt("deadline", default=60.0, min=0.1, help="Seconds that one call to a pod may take, all in all."),
    cfg.FloatOpt("list_deadline", default=15.0, min=0.1,
                 help="Seconds that a list waits for its slowest pod; after that the pod is named as unreachable."),
    cfg.FloatOpt("empty_pod_rate", default=10.0, min=0.1,
                 help="Questions a second that one user's lists of one kind may cost at pods in which the project has "
                      "nothing. What a project makes straight at such a pod is listed after as many seconds as there "
                      "are such pods, divided by this: 0.1 s with one, 10 s with a hundred."),
    cfg.FloatOpt("connect_deadline", default=3.0, min=0.1, help="Seconds for opening a connection."),
    cfg.IntOpt("breaker_failures", default=5, min=1, help="Failed calls in a row that open a pod's breaker."),
    cfg.FloatOpt("breaker_seconds", default=10.0, min=0.1, help="Seconds until an open breaker lets one call through."),
    cfg.FloatOpt("catalogue_seconds", default=300.0, help="Seconds for which Keystone's endpoints are believed."),
]
BRIDGE = [
    cfg.StrOpt("physical_network", default="bridge", help="Neutron's name for the VLAN trunk between the pods."),
    cfg.ListOpt("vlan_ranges", default=["2001:3000"], help="VLANs for bridge networks, as first:last."),
    cfg.StrOpt("cidr", default="100.64.0.0/10", help="Bridge subnets are cut from this (RFC 6598 space)."),
    cfg.IntOpt("max_routes", default=30, min=1,
               help="The smallest max_routes of the pods' Neutron: bounds the subnets that one router joins."),
    cfg.IntOpt("prefix_length", default=24, min=8, max=30, help="Size of one project's bridge subnet."),
]
JOBS = [
    cfg.IntOpt("workers", default=16, min=1,
               help="Jobs that run side by side; where they wait for each other they share a playbook."),
    cfg.IntOpt("per_pod", default=8, min=0,
               help="Of these, how many may change one pod at the same time; 0 is no limit."),
    cfg.IntOpt("history_days", default=14, min=1,
               help="Days after which jobs that are done, failed or cancelled are forgotten, with their logs."),
]
DRIFT = [
    cfg.FloatOpt("interval", default=600.0, min=0.0,
                 help="Seconds between two sweeps, in which the worker compares the pods with what they should be and "
                      "logs each difference as a warning; 0 is never."),
    cfg.BoolOpt("repair", default=False, help="Let a sweep put right what it finds."),
]
METRICS = [
    cfg.HostAddressOpt("bind_host", default="127.0.0.1", help="Address on which Prometheus may ask, without a token."),
    cfg.PortOpt("port", default=0, help="Port for Prometheus, as in 19996; 0: none."),
]
GROUPS = {None: DEFAULT, "api": API, "service_account": SERVICE_ACCOUNT, "pods": PODS, "bridge": BRIDGE, "jobs": JOBS,
          "drift": DRIFT, "metrics": METRICS}


def list_opts() -> list[tuple[str | None, list]]:
    """Entry point for oslo-config-generator."""
    return list(GROUPS.items())


def load(config_file: str | None = None) -> cfg.ConfigOpts:
    """Read the configuration.

    Args:
        config_file: path of a tricircle.conf; None takes the defaults alone (tests do).

    Returns:
        The options, by group.

    Raises:
        oslo_config.cfg.Error: the file is not there, or a value is none of its option.
    """
    conf = cfg.ConfigOpts()
    for group, options in GROUPS.items():
        conf.register_opts(options, group=group)
    conf(args=[], project="tricircle", default_config_files=[config_file] if config_file else [])
    for group, options in GROUPS.items():   # a wrong value is told here, once, and not by each process that meets it
        for option in options:
            (conf[group] if group else conf)[option.name]
    return conf


def database_path(conf: cfg.ConfigOpts) -> Path:
    """Where the database is."""
    return Path(conf.state_path) / "tricircle.sqlite"


def jobs_folder(conf: cfg.ConfigOpts) -> Path:
    """Where the jobs' working folders and lease files are."""
    return Path(conf.state_path).absolute() / "jobs"


def metrics_folder(conf: cfg.ConfigOpts) -> Path:
    """Where the processes' counters are."""
    return Path(conf.state_path) / "metrics"

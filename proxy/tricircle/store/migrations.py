"""The schema, step by step. A step that has been released is never edited: add another.

Portable on purpose (it should run on MariaDB one day): TEXT ids made by us, uniqueness by constraint, a nullable
column under UNIQUE instead of a partial index (both databases let NULLs repeat there).
"""
from sqlite_utils import Migrations

migrations = Migrations("tricircle")


@migrations()
def m001_pods(db):
    """Pods and bindings: precious, nobody else knows them."""
    db.execute("""CREATE TABLE pods (
        pod_id TEXT PRIMARY KEY,
        pod_name TEXT NOT NULL UNIQUE,
        az_name TEXT NOT NULL,
        pod_az_name TEXT NOT NULL,
        dc_name TEXT NOT NULL,
        top INTEGER UNIQUE,             -- 1 for the one pod that is Tricircle itself, else NULL
        aggregate_id INTEGER UNIQUE,    -- of ag_<pod_name>; NULL for the top pod
        created_at REAL NOT NULL,
        updated_at REAL NOT NULL)""")
    db.execute("""CREATE TABLE bindings (
        id TEXT PRIMARY KEY,
        tenant_id TEXT NOT NULL,
        az_name TEXT NOT NULL,
        pod_id TEXT NOT NULL REFERENCES pods,
        created_at REAL NOT NULL,
        updated_at REAL NOT NULL,
        UNIQUE (tenant_id, az_name))""")


@migrations()
def m002_routings(db):
    """Where a resource lives, and its stand-ins in other pods: rebuildable from the pods."""
    db.execute("""CREATE TABLE routings (
        resource_id TEXT PRIMARY KEY,
        pod_id TEXT NOT NULL REFERENCES pods,
        kind TEXT NOT NULL,             -- the collection: servers, networks, routers ...
        project_id TEXT NOT NULL,
        created_at REAL NOT NULL)""")
    db.execute("CREATE INDEX routings_project ON routings (project_id, pod_id)")
    db.execute("""CREATE TABLE replicas (
        resource_id TEXT NOT NULL,      -- the home id; bridge:<project> for a project's bridge network
        pod_id TEXT NOT NULL REFERENCES pods,
        kind TEXT NOT NULL,
        project_id TEXT NOT NULL,
        local_id TEXT,                  -- NULL while the claimer is making it
        claim_until REAL NOT NULL,
        fence INTEGER NOT NULL DEFAULT 0,
        created_at REAL NOT NULL,
        PRIMARY KEY (resource_id, pod_id),
        UNIQUE (pod_id, local_id))""")


@migrations()
def m003_bridges(db):
    """What Tricircle hands out itself: precious."""
    db.execute("""CREATE TABLE bridges (
        project_id TEXT PRIMARY KEY,
        vlan INTEGER NOT NULL UNIQUE,
        cidr TEXT NOT NULL UNIQUE,
        created_at REAL NOT NULL)""")
    db.execute("""CREATE TABLE bridge_ips (
        router_id TEXT NOT NULL,
        pod_id TEXT NOT NULL REFERENCES pods,
        project_id TEXT NOT NULL REFERENCES bridges,
        ip TEXT NOT NULL,
        created_at REAL NOT NULL,
        PRIMARY KEY (router_id, pod_id),
        UNIQUE (project_id, ip))""")


@migrations()
def m004_jobs(db):
    """Cross-pod work that is owed. A job names a resource, never an event."""
    db.execute("""CREATE TABLE jobs (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        resource_id TEXT NOT NULL,
        project_id TEXT NOT NULL,
        state TEXT NOT NULL,            -- queued running done failed dead
        queued_key TEXT UNIQUE,         -- kind:resource while queued: a second request coalesces into the first
        running_key TEXT UNIQUE,        -- kind:resource while running: one in flight for a resource
        attempts INTEGER NOT NULL DEFAULT 0,
        not_before REAL NOT NULL,
        holds INTEGER NOT NULL DEFAULT 0,   -- requests that have announced a change and not yet made it
        held_until REAL,                    -- when they are given up
        lease_owner TEXT,
        lease_until REAL,
        fence INTEGER NOT NULL DEFAULT 0,
        created_at REAL NOT NULL,
        started_at REAL,
        finished_at REAL,
        last_error TEXT)""")
    db.execute("CREATE INDEX jobs_state ON jobs (state, not_before)")
    db.execute("CREATE INDEX jobs_resource ON jobs (resource_id, created_at)")
    db.execute("""CREATE TABLE job_log (
        job_id TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE,
        position INTEGER NOT NULL,
        at REAL NOT NULL,
        pod TEXT NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (job_id, position))""")


@migrations()
def m005_default_groups(db):
    """Neutron makes a `default` security group in each pod for each project; one of them is the user's."""
    db.execute("""CREATE TABLE default_groups (
        project_id TEXT PRIMARY KEY,
        group_id TEXT NOT NULL,
        pod_id TEXT NOT NULL REFERENCES pods)""")


@migrations()
def m006_cursors(db):
    """How far a list has got in each pod: a cache, see store/cursors.py. And which routings are being deleted."""
    db.execute("""CREATE TABLE cursors (
        seq INTEGER PRIMARY KEY,
        cursor_key TEXT NOT NULL UNIQUE,
        cursor TEXT NOT NULL)""")
    db.execute("ALTER TABLE routings ADD COLUMN leaving INTEGER NOT NULL DEFAULT 0")


@migrations()
def m007_quotas(db):
    """The big region's numbers are precious; claims and usage are the gateway's notes about what pods count."""
    db.execute("""CREATE TABLE quotas (
        service TEXT NOT NULL,
        collection TEXT NOT NULL,       -- os-quota-sets, os-quota-class-sets, quotas
        owner TEXT NOT NULL,            -- a project, or the name of a class
        name TEXT NOT NULL,             -- instances, network ...; '' says that pods shall forget theirs first
        number INTEGER NOT NULL,        -- -1 is unlimited
        PRIMARY KEY (service, collection, owner, name))""")
    db.execute("""CREATE TABLE quota_claims (
        claim_id TEXT NOT NULL,
        project_id TEXT NOT NULL,
        pod_id TEXT NOT NULL,
        service TEXT NOT NULL,
        name TEXT NOT NULL,
        amount INTEGER,                 -- NULL: something, nobody has looked how much
        until REAL NOT NULL,            -- its process is dead by then
        ended_at REAL,                  -- the pod has answered, and counts it by itself
        PRIMARY KEY (claim_id, service, name))""")
    db.execute("CREATE INDEX quota_claims_project ON quota_claims (project_id)")
    db.execute("""CREATE TABLE quota_usage (
        project_id TEXT NOT NULL,
        pod_id TEXT NOT NULL,
        service TEXT NOT NULL,
        name TEXT NOT NULL,
        used INTEGER NOT NULL,          -- as the pod said last, and what was made since
        PRIMARY KEY (project_id, pod_id, service, name))""")


@migrations()
def m008_everywhere(db):
    """Things that are made once and are there in every pod."""
    db.execute("""CREATE TABLE named (
        kind TEXT NOT NULL,             -- volume/types: each pod gives it an id of its own, the name makes it one
        name TEXT NOT NULL,
        resource_id TEXT NOT NULL UNIQUE,   -- the id that users see
        PRIMARY KEY (kind, name))""")
    db.execute("""CREATE TABLE behind (
        kind TEXT NOT NULL,             -- compute/flavors
        resource_key TEXT NOT NULL,
        pod_id TEXT NOT NULL REFERENCES pods ON DELETE CASCADE,
        writer TEXT NOT NULL,           -- the request that has made the others newer
        contested INTEGER NOT NULL,     -- 1: several requests at once, only a fresh look can tell
        PRIMARY KEY (kind, resource_key, pod_id))""")


@migrations()
def m009_pool_prefixes(db):
    """What subnets in all pods have of a subnet pool: see store/prefixes.py."""
    db.execute("""CREATE TABLE pool_prefixes (
        pool_id TEXT NOT NULL,
        pod_id TEXT NOT NULL REFERENCES pods ON DELETE CASCADE,
        cidr TEXT NOT NULL,
        project_id TEXT NOT NULL,       -- the subnet's
        until REAL NOT NULL,            -- in flight till then; later the pod's own list tells whether it is there
        PRIMARY KEY (pool_id, pod_id, cidr))""")


@migrations()
def m010_job_history(db):
    """Pages of the jobs, and which of them are old. State `cancelled` is new."""
    db.execute("CREATE INDEX jobs_created ON jobs (created_at, id)")
    db.execute("CREATE INDEX jobs_finished ON jobs (finished_at)")


@migrations()
def m011_pod_status(db):
    """Maintenance of a pod: whether new things may be placed there, and why not."""
    db.execute("ALTER TABLE pods ADD COLUMN status TEXT NOT NULL DEFAULT 'enabled'")   # enabled disabled draining
    db.execute("ALTER TABLE pods ADD COLUMN disabled_reason TEXT NOT NULL DEFAULT ''")


@migrations()
def m012_interfaces(db):
    """What a router had in each pod: see store/interfaces.py."""
    db.execute("""CREATE TABLE interfaces (
        router_id TEXT NOT NULL,
        pod_id TEXT NOT NULL REFERENCES pods ON DELETE CASCADE,
        subnet_id TEXT NOT NULL,        -- as the pod calls it
        ip TEXT NOT NULL,
        PRIMARY KEY (router_id, pod_id, subnet_id))""")


@migrations()
def m013_intents(db):
    """Pods that will be behind with a thing if a request that is under way gets through: see store/behind.py."""
    db.execute("""CREATE TABLE intents (
        kind TEXT NOT NULL,             -- as in behind
        resource_key TEXT NOT NULL,
        pod_id TEXT NOT NULL REFERENCES pods ON DELETE CASCADE,
        writer TEXT NOT NULL,           -- the request
        overtaken INTEGER NOT NULL,     -- 1: another request has got through meanwhile
        until REAL NOT NULL,            -- then the request is dead, and nobody knows whether it got through
        PRIMARY KEY (kind, resource_key, pod_id, writer))""")


@migrations()
def m014_refusals(db):
    """A refusal was once taken for a home: whoever asked for another's port as a hypervisor was believed to have it.

    What goes with such rows costs one question to the pods; what a pod calls otherwise, and would not know, stays.
    """
    db.execute("""DELETE FROM routings WHERE kind NOT IN (
        'servers', 'os-server-groups', 'volumes', 'snapshots', 'networks', 'subnets', 'ports', 'routers', 'floatingips',
        'security-groups', 'subnetpools', 'address-scopes', 'qos/policies')""")


@migrations()
def m015_moves(db):
    """Networks that a request moves to another pod just now: see store/moves.py."""
    db.execute("""CREATE TABLE moves (
        network_id TEXT PRIMARY KEY,
        fence TEXT NOT NULL,            -- of the request
        until REAL NOT NULL)            -- then the request is dead""")


@migrations()
def m016_parents(db):
    """What goes with a resource when that goes: Neutron deletes a network's subnets and a group's rules with it."""
    db.execute("ALTER TABLE routings ADD COLUMN parent_id TEXT NOT NULL DEFAULT ''")   # home id
    db.execute("CREATE INDEX routings_parent ON routings (parent_id) WHERE parent_id <> ''")


@migrations()
def m017_replicas_by_project(db):
    """Each look at a server asks whether its project has any shadows of ports."""
    db.execute("CREATE INDEX replicas_project ON replicas (project_id, kind)")


@migrations()
def m018_joining(db):
    """Routers that got an interface or a gateway since their job last found all well: see store/interfaces.py."""
    db.execute("CREATE TABLE joining (router_id TEXT PRIMARY KEY)")

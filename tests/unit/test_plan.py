"""The planner's promises, on arbitrary states of pods: reading, planning and the steps' executor together."""
import copy
from ipaddress import ip_address, ip_network

from hypothesis import given, settings
from hypothesis import strategies as st
from pod_model import INTERFACE, SERVICE, Cloud

from tricircle import marks
from tricircle.crosspod import plan
from tricircle.crosspod.model import Allocation, Segment
from tricircle.crosspod.observe import Pods
from tricircle.crosspod.steps import run

PODS = ("Pod1", "Pod2", "Pod3")
SEGMENT = Segment("bridge", 2001, "100.64.0.0/24")
IPS = {"Pod1": "100.64.0.1", "Pod2": "100.64.0.2", "Pod3": "100.64.0.3"}
ROUTER, PROJECT = "R", "P"


class Case:
    """A router in three pods, Pod1 its home, in whatever state the draws have left it."""

    def __init__(self, draw):
        self.cloud = Cloud(*PODS)
        self.home_gone = draw(st.booleans()) and draw(st.booleans())
        self.retirable = draw(st.booleans())
        self.shared = frozenset(draw(st.sets(st.sampled_from(PODS))))
        for number, pod in enumerate(PODS, 1):
            self._pod(draw, pod, number)

    def _pod(self, draw, pod, number):
        neutron = self.cloud.pods[pod]
        foreign = neutron.add("networks", name="foreign", **{"provider:segmentation_id": 2000})
        neutron.add("subnets", network_id=foreign["id"], cidr="192.168.9.0/24")
        bridge = self._bridge(draw, pod, neutron)
        has_router = draw(st.booleans()) if pod != "Pod1" else not self.home_gone
        router = None
        if has_router:
            mark = marks.replica(ROUTER) if pod != "Pod1" else "mine"
            router = neutron.add("routers", id=ROUTER if pod == "Pod1" else f"local-{pod}", description=mark,
                                 name=draw(st.sampled_from(["r", "{{ r }}"])), project_id=PROJECT,
                                 admin_state_up=draw(st.booleans()))
            for third in range(draw(st.integers(0, 2))):
                self._interface(neutron, router, f"10.{number}.{third}.0/24", draw)
            if draw(st.booleans()):
                router["external_gateway_info"] = {"network_id": "outside"}
            if pod != "Pod1" and draw(st.booleans()):
                self._shadow(neutron, router, f"10.{number - 1}.0.0/24")
        if bridge:
            self._bridge_ports(draw, neutron, bridge, router, pod)

    def _bridge(self, draw, pod, neutron):
        if not (pod in self.shared or draw(st.booleans())):
            return None
        vlan = draw(st.sampled_from([2001, 2001, 2002]))
        mark = marks.bridge(PROJECT)
        network = neutron.add("networks", name=mark, description=mark, project_id=SERVICE,
                              **{"provider:segmentation_id": vlan})
        if pod in self.shared or draw(st.booleans()):
            subnet = neutron.add("subnets", network_id=network["id"], cidr=SEGMENT.cidr, description=mark)
            if pod in self.shared:
                neutron.add("ports", network_id=network["id"], description=marks.bridge("other"), device_id="other",
                            fixed_ips=[{"subnet_id": subnet["id"], "ip_address": "100.64.0.77"}])
        return network

    def _interface(self, neutron, router, cidr, draw):
        network = neutron.add("networks", name="user")
        subnet = neutron.add("subnets", network_id=network["id"], cidr=cidr)
        host = str(next(ip_network(cidr).hosts()))
        neutron.add("ports", network_id=network["id"], device_id=router["id"], device_owner=INTERFACE,
                    fixed_ips=[{"subnet_id": subnet["id"], "ip_address": host}])
        if draw(st.booleans()):
            to = draw(st.sampled_from(["172.16.0.0/12", "10.2.0.0/24", plan.ANYWHERE]))
            router["routes"].append({"destination": to,
                                     "nexthop": host.replace(".1", ".200") if host.endswith(".1") else host})

    @staticmethod
    def _shadow(neutron, router, cidr):
        """An interface for a subnet of another pod, which carries nothing."""
        network = neutron.add("networks", name="shadow")
        subnet = neutron.add("subnets", network_id=network["id"], cidr=cidr)
        neutron.add("ports", network_id=network["id"], device_id=router["id"], device_owner=INTERFACE,
                    description=marks.shadow(ROUTER), project_id=SERVICE,
                    fixed_ips=[{"subnet_id": subnet["id"], "ip_address": str(next(ip_network(cidr).hosts()))}])

    def _bridge_ports(self, draw, neutron, bridge, router, pod):
        if not bridge["subnets"]:
            return
        for ip in draw(st.sets(st.sampled_from([IPS[pod], "100.64.0.99"]))):
            attached = router and draw(st.booleans()) and not self._on_bridge(neutron, router)
            neutron.add("ports", network_id=bridge["id"], description=marks.bridge(ROUTER), project_id=SERVICE,
                        device_id=router["id"] if attached else "", device_owner=INTERFACE if attached else "",
                        fixed_ips=[{"subnet_id": bridge["subnets"][0], "ip_address": ip}])
            if attached:
                for hop in draw(st.sets(st.sampled_from([*IPS.values(), "100.64.0.50"]))):
                    router["routes"].append({"destination": f"10.{hop[-1]}.0.0/24", "nexthop": hop})

    @staticmethod
    def _on_bridge(neutron, router):
        return any(port["description"] == marks.bridge(ROUTER) and port["device_id"] == router["id"]
                   for port in neutron.rows["ports"].values())

    def look(self):
        """What crosspod.observe makes of it."""
        return Pods(self.cloud).router(ROUTER, PROJECT, "Pod1", list(PODS), {})

    def plan(self):
        """{pod: steps} from what is there now."""
        observed = self.look()
        retired = {pod for pod in plan.idle(observed) if pod != "Pod1"} if self.retirable else set()
        wanted = plan.wanted(observed, Allocation(SEGMENT, IPS, self.shared), retired)
        return {pod: plan.steps(observed, pod, want) for pod, want in wanted.items()}

    def apply(self, pod, steps):
        """Carry out steps; each must be accepted."""
        _, failure = run(steps, self.cloud.pods[pod].call)
        assert not failure, failure

    def converge(self):
        """Plan and apply, once, in all pods."""
        for pod, steps in self.plan().items():
            self.apply(pod, steps)

    def of_others(self):
        """Everything that is no plumbing of this router."""
        found = {}
        for pod, neutron in self.cloud.pods.items():
            rows = copy.deepcopy(neutron.rows)
            ports = [p for p in rows["ports"].values() if p["description"] != marks.bridge(ROUTER)]
            networks = [n for n in rows["networks"].values() if n["description"] != marks.bridge(PROJECT)]
            routers = {r["id"]: [x for x in r["routes"] if ip_address(x["nexthop"]) not in ip_network(SEGMENT.cidr)]
                       for r in rows["routers"].values() if r["routes"]}
            found[pod] = (ports, networks, {key: value for key, value in routers.items() if value})
        return found


@st.composite
def cases(draw):
    return Case(draw)


@settings(max_examples=100)
@given(cases())
def test_steps_reach_the_wanted_state_and_then_there_is_nothing_to_do(case):
    case.converge()
    assert {pod: steps for pod, steps in case.plan().items() if steps} == {}


@settings(max_examples=100)
@given(cases())
def test_what_is_not_ours_stays(case):
    before = case.of_others()
    case.converge()
    assert case.of_others() == before


@settings(max_examples=100)
@given(cases(), st.data())
def test_any_prefix_of_the_steps_and_a_new_plan_lead_to_the_same_end(case, data):
    straight = copy.deepcopy(case)
    straight.converge()
    for pod, steps in case.plan().items():
        case.apply(pod, steps[:data.draw(st.integers(0, len(steps)))])
    case.converge()
    assert end(case) == end(straight)
    assert not any(case.plan().values())


@settings(max_examples=100)
@given(cases())
def test_two_pods_reach_each_other_over_the_bridge_or_there_is_none(case):
    case.converge()
    observed = case.look()
    joined = plan.members(observed, IPS)
    for pod, seen in observed.pods.items():
        on_bridge = [port for port in seen.ports if port.attached]
        hops = {hop for _, hop in seen.router.routes} if seen.router else set()
        if pod not in joined:
            assert seen.ports == ()
            assert not hops & set(IPS.values())
            assert bool(seen.bridge) <= (pod in case.shared)
            continue
        assert [port.ip for port in on_bridge] == [IPS[pod]]
        assert seen.bridge.vlan == SEGMENT.vlan
        users = users_routes(seen)
        elsewhere = {other: users_routes(observed.pods[other]) for other in joined if other != pod}
        nets = {cidr for each in joined for interface in observed.pods[each].router.interfaces
                for cidr in interface.cidrs}
        for other, theirs in elsewhere.items():
            for to in theirs - users - nets:
                assert (to, IPS[other]) in seen.router.routes
        for other in joined:
            for interface in observed.pods[other].router.interfaces if other != pod else ():
                for cidr in interface.cidrs:
                    assert ((cidr, IPS[other]) in seen.router.routes) == (cidr not in users)
        gate = plan.exit_pod(observed)
        chosen = sorted(IPS[other] for other, theirs in elsewhere.items() if plan.ANYWHERE in theirs)
        goes_out = gate and not seen.router.has_gateway
        assert [hop for to, hop in sorted(seen.router.routes) if to == plan.ANYWHERE and hop in IPS.values()] == (
            [] if plan.ANYWHERE in users else chosen or ([IPS[gate]] if goes_out else []))


def users_routes(pod):
    """Destinations that the user has routed in a pod."""
    return {to for to, hop in pod.router.routes if ip_address(hop) not in ip_network(SEGMENT.cidr)}


def end(case):
    """The observed end, without the ids that Neutron made up."""
    observed = case.look()
    return {pod: (seen.router and (seen.router.name, seen.router.admin_state_up, seen.router.routes),
                  {(port.ip, port.attached) for port in seen.ports},
                  seen.bridge and (seen.bridge.vlan, {cidr for cidr, _ in seen.bridge.subnets}))
            for pod, seen in observed.pods.items()}


def two_pods():
    """Pod1 and Pod2 with one subnet each, nothing built yet."""
    cloud = Cloud("Pod1", "Pod2")
    for number, pod in enumerate(cloud.pods, 1):
        neutron = cloud.pods[pod]
        router = neutron.add("routers", id=ROUTER if number == 1 else "local", name="r", project_id=PROJECT,
                             description=marks.replica(ROUTER) if number == 2 else "")
        network = neutron.add("networks", name="user")
        subnet = neutron.add("subnets", network_id=network["id"], cidr=f"10.0.{number}.0/24")
        neutron.add("ports", network_id=network["id"], device_id=router["id"], device_owner=INTERFACE,
                    fixed_ips=[{"subnet_id": subnet["id"], "ip_address": f"10.0.{number}.1"}])
    return cloud


def planned(cloud, allocation=None):
    observed = Pods(cloud).router(ROUTER, PROJECT, "Pod1", list(cloud.pods), {})
    wanted = plan.wanted(observed, allocation or Allocation(SEGMENT, IPS), set())
    return observed, {pod: plan.steps(observed, pod, want) for pod, want in wanted.items()}


def test_an_interface_comes_before_its_route_and_goes_after_it():
    cloud = two_pods()
    _, steps = planned(cloud)
    assert [step["name"] for step in steps["Pod1"]] == [
        "create the bridge network on VLAN 2001", "create the bridge subnet 100.64.0.0/24",
        "create the bridge port 100.64.0.1", "attach the bridge port 100.64.0.1",
        "add route 10.0.2.0/24 via 100.64.0.2"]
    for pod in steps:
        assert run(steps[pod], cloud.pods[pod].call)[1] is None
    ports = cloud.pods["Pod2"].rows["ports"]
    del ports[next(row["id"] for row in ports.values() if not row["description"])]
    _, steps = planned(cloud)
    assert [step["name"] for step in steps["Pod1"]] == [
        "remove route 10.0.2.0/24 via 100.64.0.2", "detach the bridge port 100.64.0.1", "delete the bridge network"]


def test_the_way_out_is_through_the_pod_of_the_external_network():
    cloud = two_pods()
    cloud.pods["Pod2"].rows["routers"]["local"]["external_gateway_info"] = {"network_id": "outside"}
    ports = cloud.pods["Pod2"].rows["ports"]
    del ports[next(iter(ports))]
    _, steps = planned(cloud)
    assert [step["name"] for step in steps["Pod1"]][-1] == "add route 0.0.0.0/0 via 100.64.0.2"
    assert [step["name"] for step in steps["Pod2"]][-1] == "add route 10.0.1.0/24 via 100.64.0.1"
    for pod in steps:
        assert run(steps[pod], cloud.pods[pod].call)[1] is None
    cloud.pods["Pod2"].rows["routers"]["local"]["external_gateway_info"] = None
    _, steps = planned(cloud)
    assert [step["name"] for step in steps["Pod1"]] == [
        "remove route 0.0.0.0/0 via 100.64.0.2", "detach the bridge port 100.64.0.1", "delete the bridge network"]


def test_a_router_with_a_gateway_alone_needs_no_bridge():
    cloud = two_pods()
    for pod in cloud.pods.values():
        pod.rows["ports"].clear()
    cloud.pods["Pod2"].rows["routers"]["local"]["external_gateway_info"] = {"network_id": "outside"}
    observed, steps = planned(cloud)
    assert plan.idle(observed) == []
    assert not any(steps.values())


def test_the_way_out_stays_while_its_pod_does_not_answer():
    cloud = two_pods()
    cloud.pods["Pod2"].rows["routers"]["local"]["external_gateway_info"] = {"network_id": "outside"}
    _, steps = planned(cloud)
    for pod in steps:
        run(steps[pod], cloud.pods[pod].call)
    cloud.dead.add("Pod2")
    assert planned(cloud)[1] == {"Pod1": []}


def test_a_pod_that_does_not_answer_keeps_its_neighbours_routes():
    cloud = two_pods()
    _, steps = planned(cloud)
    for pod in steps:
        run(steps[pod], cloud.pods[pod].call)
    cloud.dead.add("Pod2")
    observed, steps = planned(cloud)
    assert list(observed.unreachable) == ["Pod2"]
    assert steps == {"Pod1": []}


def test_an_answer_that_is_broken_is_not_an_empty_one():
    cloud = two_pods()
    cloud.pods["Pod2"].call = lambda method, path, body=None: (200, {}) if "/ports" in path else (503, {})
    observed, _ = planned(cloud)
    assert list(observed.unreachable) == ["Pod2"]


def test_a_subnet_that_overlaps_one_of_the_pod_itself_gets_no_route():
    cloud = two_pods()
    for row in cloud.pods["Pod2"].rows["subnets"].values():
        row["cidr"] = "10.0.0.0/16"
    _, steps = planned(cloud)
    assert not [step for pod in steps for step in steps[pod] if "extraroutes" in step["path"]]


def test_a_mark_on_somebody_elses_things_makes_them_no_plumbing():
    cloud = two_pods()
    for neutron in cloud.pods.values():
        mark = marks.bridge(PROJECT)
        fake = neutron.add("networks", description=mark, project_id="tenant", **{"provider:segmentation_id": 7})
        neutron.add("ports", network_id=fake["id"], description=marks.bridge(ROUTER), project_id="tenant")
    observed, _ = planned(cloud)
    assert [(seen.bridge, seen.ports) for seen in observed.pods.values()] == [(None, ())] * 2

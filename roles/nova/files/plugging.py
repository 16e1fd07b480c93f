# SPDX-License-Identifier: Apache-2.0
"""A hypervisor driver for labs that test APIs: no guest runs, but all that other services see of one is there.

Nova's own fake driver leaves ports unplugged, so Neutron never calls them ACTIVE; images of snapshots stay queued; and
a restart forgets every server. Here ports are plugged into Open vSwitch, snapshots upload some bytes, and a restart
finds the servers again. Lies in nova/virt, where `compute_driver` is looked for.
"""
import io

from nova import context as contexts
from nova import exception, objects, privsep
from nova.compute import power_state, task_states
from nova.image import glance
from nova.virt import fake
from nova.volume import cinder
from oslo_concurrency import processutils

CONSOLE_LINES = 50      # more than anybody asks the end of
SNAPSHOT = b"\0" * (64 << 10)


@privsep.sys_admin_pctxt.entrypoint
def _vsctl(*words):
    """ovs-vsctl as root."""
    processutils.execute("ovs-vsctl", "--timeout=20", *words)


def _tap(vif):
    return "tap" + vif["id"][:11]


def _plug(instance, vifs):
    for vif in vifs or ():
        if vif["type"] != "ovs":
            continue
        ids = {"iface-id": vif["id"], "iface-status": "active", "attached-mac": vif["address"],
               "vm-uuid": instance.uuid}
        _vsctl("--may-exist", "add-port", vif["network"]["bridge"] or "br-int", _tap(vif), "--", "set", "Interface",
               _tap(vif), "type=internal", *(f"external_ids:{name}={value}" for name, value in ids.items()))


def _unplug(vifs):
    for vif in vifs or ():
        _vsctl("--if-exists", "del-port", _tap(vif))


class PluggingDriver(fake.FakeDriver):
    """Nova's fake driver, with the traces that a guest leaves elsewhere."""

    def init_host(self, host):
        """Find the servers of an earlier life."""
        super().init_host(host)
        for instance in objects.InstanceList.get_by_host(contexts.get_admin_context(), host):
            state = power_state.SHUTDOWN if instance.power_state is None else instance.power_state
            self.instances[instance.uuid] = fake.FakeInstance(instance.name, state, instance.uuid)

    def plug_vifs(self, instance, network_info):
        """As a real driver."""
        _plug(instance, network_info)

    def unplug_vifs(self, instance, network_info):
        """As a real driver."""
        _unplug(network_info)

    def spawn(self, context, instance, image_meta, injected_files, admin_password, allocations, network_info=None,
              **more):
        """Plug first: Nova waits for Neutron's word that the ports are up."""
        _plug(instance, network_info)
        super().spawn(context, instance, image_meta, injected_files, admin_password, allocations,
                      network_info=network_info, **more)

    def destroy(self, context, instance, network_info, *args, **more):
        """Unplug, and forget the interfaces: the next server with the same port may attach it."""
        super().destroy(context, instance, network_info, *args, **more)
        _unplug(network_info)
        for vif in network_info or ():
            self._interfaces.pop(vif["id"], None)

    def attach_interface(self, context, instance, image_meta, vif):
        """As a real driver."""
        super().attach_interface(context, instance, image_meta, vif)
        _plug(instance, [vif])

    def detach_interface(self, context, instance, vif):
        """After a restart the parent knows no interface and would refuse."""
        self._interfaces.pop(vif["id"], None)
        _unplug([vif])

    def snapshot(self, context, instance, image_id, update_task_state):
        """An image becomes active when something was uploaded."""
        if instance.uuid not in self.instances:
            raise exception.InstanceNotRunning(instance_id=instance.uuid)
        images = glance.API()
        update_task_state(task_state=task_states.IMAGE_PENDING_UPLOAD)
        name = images.get(context, image_id)["name"]
        update_task_state(task_state=task_states.IMAGE_UPLOADING, expected_state=task_states.IMAGE_PENDING_UPLOAD)
        meta = {"name": name, "disk_format": "raw", "container_format": "bare",
                "properties": {"kernel_id": "", "ramdisk_id": ""}}
        images.update(context, image_id, meta, io.BytesIO(SNAPSHOT), purge_props=False)

    def volume_snapshot_create(self, context, instance, volume_id, create_info):
        """Cinder leaves snapshots of attached files to the hypervisor, and waits for its word."""
        cinder.API().update_snapshot_status(context, create_info["snapshot_id"], "creating")

    def volume_snapshot_delete(self, context, instance, volume_id, snapshot_id, delete_info):
        """Likewise."""
        cinder.API().update_snapshot_status(context, snapshot_id, "deleting")

    def get_host_uptime(self):
        """What `uptime` prints."""
        return processutils.execute("env", "LANG=C", "uptime")[0]

    def get_console_output(self, context, instance):
        """Long enough to be asked for its last lines."""
        return "\n".join(f"{instance.name} has nothing to say, line {line}" for line in range(CONSOLE_LINES))

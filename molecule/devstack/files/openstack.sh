#!/bin/bash
# Stands in for the client: a catalogue of one region, and a record of what was asked of it.
cd "${0%/bin/openstack}"
case "$*" in
    "endpoint list --region RegionOne"*) printf '%s\n' 'e1 keystone' 'e2 glance' 'e3 nova' 'e4 neutron' 'e5 cinder' 'e6 placement' ;;
    "region show"*) exit 1 ;;
    *) echo "$*" >> openstack-calls ;;
esac

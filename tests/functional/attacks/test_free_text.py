"""What users write is theirs: it steers nothing, is never rewritten, and never refused for what it looks like."""
import base64
import json

import pytest

from tests.functional.user import User


@pytest.fixture(scope="module")
def scene(cloud, gateway):
    """A user with a group that is called otherwise in Pod2: (user, home id, local id there, a network in Pod1)."""
    user = User(gateway)
    user.boot(None, "az1")   # what has no zone goes to Pod1 from now on
    group = user.make("security-groups", name="web")["id"]
    user.boot(user.wired("az2")[0], "az2", security_groups=[{"name": "web"}])
    shelf = cloud["Pod2"].network.shelf("security-groups")
    local = next(id for id, row in shelf.items() if row["description"] == f"tricircle:{group}")
    return user, group, local, user.net("az1")


@pytest.fixture(scope="module")
def words(cloud, scene):
    """A user's words that look like other things."""
    _, home, local, network = scene
    pod = cloud["Pod2"].compute.server.url
    return {"availability_zone": "az1", "availability_zone_hints": "Pod1", "network_id": network, "port_id": local,
            "uuid": home, "volume_id": local, "flavorRef": "none", "key_name": "nobody", "note": f"{home}, {local}!",
            "href": local, "description": "tricircle:" + home, "name": local, "docs": f"{pod}/v2.1/servers"}


def test_metadata_of_a_server(cloud, scene, words):
    user, *_ = scene
    server = user.boot(None, "az2", metadata=words)
    row = cloud["Pod2"].compute.shelf("servers")[server]
    assert row["metadata"] == words
    assert user.compute.ok("GET", f"/servers/{server}")["server"]["metadata"] == words
    listed = user.compute.ok("GET", "/servers/detail")["servers"]
    assert next(each for each in listed if each["id"] == server)["metadata"] == words
    for method in ("POST", "PUT"):
        assert user.compute.ok(method, f"/servers/{server}/metadata", {"metadata": words})["metadata"] == words
    assert row["metadata"] == words
    for key, value in words.items():
        assert user.compute.ok("PUT", f"/servers/{server}/metadata/{key}", {"meta": {key: value}})["meta"] == {
            key: value}


def test_keys_of_metadata_that_are_ids(cloud, scene):
    user, home, local, _ = scene
    server = user.boot(None, "az2", metadata={home: "1", local: "2"})
    assert cloud["Pod2"].compute.shelf("servers")[server]["metadata"] == {home: "1", local: "2"}
    for key, value in ((home, "1"), (local, "2")):
        assert user.compute.ok("GET", f"/servers/{server}/metadata/{key}") == {"meta": {key: value}}
        assert user.compute.delete(f"/servers/{server}/metadata/{key}").status == 204


def test_metadata_names_and_descriptions_of_volumes_and_snapshots(cloud, scene, words):
    user, home, local, _ = scene
    disk = user.disk("az2", metadata=words, name=local, description=f"tricircles: {home}")
    assert cloud["Pod2"].volume.shelf("volumes")[disk]["metadata"] == words
    shown = user.volume.ok("GET", f"/volumes/{disk}")["volume"]
    assert (shown["metadata"], shown["name"], shown["description"]) == (words, local, f"tricircles: {home}")
    assert user.volume.ok("PUT", f"/volumes/{disk}/metadata", {"metadata": words})["metadata"] == words
    body = {"snapshot": {"volume_id": disk, "metadata": words, "name": home, "description": local}}
    snapshot = user.volume.ok("POST", "/snapshots", body)["snapshot"]["id"]
    row = cloud["Pod2"].volume.shelf("snapshots")[snapshot]
    assert (row["metadata"], row["name"], row["description"]) == (words, home, local)
    shown = user.volume.ok("GET", f"/snapshots/{snapshot}")["snapshot"]
    assert (shown["metadata"], shown["name"], shown["description"]) == (words, home, local)


def test_user_data_and_names_of_servers(cloud, scene):
    user, home, local, _ = scene
    data = base64.b64encode(f"{home} {local}".encode()).decode()
    for word in (home, local):
        server = user.boot(None, "az2", name=word, user_data=data, personality=[{"path": f"/{word}", "contents": data}])
        assert cloud["Pod2"].compute.shelf("servers")[server]["name"] == word
        assert user.compute.ok("GET", f"/servers/{server}")["server"]["name"] == word
        assert [each["id"] for each in user.compute.ok("GET", f"/servers?name={word}")["servers"]] == [server]
        assert user.compute.ok("PUT", f"/servers/{server}", {"server": {"name": f"x {word}"}})["server"]["name"] == \
            f"x {word}"


def test_names_descriptions_and_tags_in_neutron(cloud, scene):
    user, home, local, _ = scene
    for word in (home, local):
        made = user.net("az2", name=word, description=f"about {word}")
        row = cloud["Pod2"].network.shelf("networks")[made]
        assert (row["name"], row["description"]) == (word, f"about {word}")
        shown = user.network.ok("GET", f"/networks/{made}")["network"]
        assert (shown["name"], shown["description"]) == (word, f"about {word}")
        assert [each["id"] for each in user.network.ok("GET", f"/networks?name={word}")["networks"]] == [made]
        user.network.ok("PUT", f"/networks/{made}/tags", {"tags": [word, "az1"]})
        assert set(row["tags"]) == {word, "az1"}
        assert set(user.network.ok("GET", f"/networks/{made}/tags")["tags"]) == {word, "az1"}
        assert [each["id"] for each in user.network.ok("GET", f"/networks?tags={word}")["networks"]] == [made]


def test_keypairs_that_are_called_like_an_id(cloud, scene):
    user, home, local, _ = scene
    for word in (home, local):
        assert user.key(word) == word
        assert user.compute.ok("GET", f"/os-keypairs/{word}")["keypair"]["name"] == word
        server = user.boot(None, "az2", key_name=word)
        assert cloud["Pod2"].compute.shelf("servers")[server]["key_name"] == word
        assert user.compute.ok("GET", f"/servers/{server}")["server"]["key_name"] == word
        assert user.compute.delete(f"/os-keypairs/{word}").status == 202


def test_a_reference_is_still_one(cloud, scene):
    """The id in a pod is no name that a user knows, where it is a name at all; the home's id is, everywhere."""
    user, home, local, _ = scene
    network, _ = user.wired("az2")
    assert user.network.get(f"/security-groups/{local}").status == 404
    assert user.network.post("/ports", {"port": {"network_id": network, "security_groups": [local]}}).status == 404
    port = user.make("ports", network_id=network, security_groups=[home], description=f"{home} {local}")
    assert (port["security_groups"], port["description"]) == ([home], f"{home} {local}")
    row = cloud["Pod2"].network.shelf("ports")[port["id"]]
    assert (row["security_groups"], row["description"]) == ([local], f"{home} {local}")
    listed = user.network.ok("GET", f"/ports?network_id={network}")["ports"]
    assert [each["security_groups"] for each in listed if each["id"] == port["id"]] == [[home]]
    server = user.boot(network, "az2", security_groups=[{"name": home}])
    user.compute.ok("POST", f"/servers/{server}/action", {"removeSecurityGroup": {"name": home}})
    user.compute.ok("POST", f"/servers/{server}/action", {"addSecurityGroup": {"name": home}})


def test_escapes_do_not_hide_a_reference(cloud, scene):
    """JSON may write any letter as an escape: what is read is what is sent."""
    user, home, local, _ = scene
    network, _ = user.wired("az2")
    for id, status in ((home, 201), (local, 404)):
        raw = json.dumps({"port": {"network_id": network, "security_groups": [id]}})
        raw = raw.replace(id, "".join(f"\\u{ord(letter):04x}" for letter in id)).replace('"port"', '"p\\u006frt"')
        assert user.network.call("POST", "/ports", raw=raw.encode()).status == status


def test_the_word_that_marks_ours_is_refused_in_its_field_alone(cloud, gateway, scene):
    user, home, *_ = scene
    mark = f"tricircle:{home}"
    with cloud.unchanged():
        assert user.network.post("/networks", {"network": {"description": mark}}).status == 400
        assert user.network.post("/networks", {"networks": [{"name": "x"}, {"description": mark}]}).status == 400
    disk = user.disk("az2", metadata={"description": mark, "name": mark})
    assert cloud["Pod2"].volume.shelf("volumes")[disk]["metadata"] == {"description": mark, "name": mark}

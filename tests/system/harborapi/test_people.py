"""People and groups of them, told through harborapi."""

import pytest
from harborapi import HarborAsyncClient
from harborapi.exceptions import Conflict, Forbidden, NotFound, Unauthorized
from harborapi.models import UserGroup, UserProfile

from hub import Hub
from system.harborapi.steps import SECRET, new_user, number
from system.harborapi.watched import logged_in

pytestmark = pytest.mark.system

OIDC = 3


async def test_people(hub: Hub, harbor: HarborAsyncClient) -> None:
    alice = await new_user(harbor, "alice")
    with pytest.raises(Conflict):
        await new_user(harbor, "alice")

    found = await harbor.get_user(alice)
    assert (found.username, found.email, found.realname) == ("alice", "alice@example.com", "Alice")
    assert found.sysadmin_flag is False
    assert (await harbor.get_user_by_username("alice")).user_id == alice
    assert [user.user_id for user in await harbor.search_users_by_username("lic")] == [alice]
    assert [user.username for user in await harbor.get_users(query="username=alice")] == ["alice"]
    assert alice in [user.user_id for user in await harbor.get_users(sort="-creation_time", page_size=1)]

    await harbor.update_user(alice, UserProfile(email="a@example.com", realname="Alice A", comment="builds"))
    assert (await harbor.get_user(alice)).comment == "builds"
    await harbor.set_user_password(alice, "Another-secret-3")
    async with logged_in(hub, "alice", "Another-secret-3") as own:
        me = await own.get_current_user()
        assert (me.user_id, me.realname) == (alice, "Alice A")
        assert isinstance(await own.get_current_user_permissions(), list)
        with pytest.raises(Forbidden):
            await own.set_user_password(alice, SECRET, old_password="Not-my-secret-4")
        await own.set_user_password(alice, SECRET, old_password="Another-secret-3")
        with pytest.raises(Unauthorized):
            await own.get_current_user()
    async with logged_in(hub, "alice", SECRET) as own:
        with pytest.raises(Forbidden):
            await own.get_users()
        await harbor.set_user_admin(alice, True)
        assert (await own.get_current_user()).sysadmin_flag is True
        assert len(await own.get_users()) >= 2
        await harbor.set_user_admin(alice, False)
        with pytest.raises(Forbidden):
            await own.get_users()

    await harbor.delete_user(alice)
    with pytest.raises(NotFound):
        await harbor.get_user(alice)


async def test_groups(harbor: HarborAsyncClient) -> None:
    crew = number(await harbor.create_usergroup(UserGroup(group_name="crew", group_type=OIDC)))
    with pytest.raises(Conflict):
        await harbor.create_usergroup(UserGroup(group_name="crew", group_type=OIDC))

    await harbor.update_usergroup(crew, UserGroup(group_name="deck crew"))

    found = await harbor.get_usergroup(crew)
    assert (found.id, found.group_name, found.group_type) == (crew, "deck crew", OIDC)
    assert [group.id for group in await harbor.get_usergroups(group_name="deck")] == [crew]
    assert [group.id for group in await harbor.search_usergroups("deck")] == [crew]
    await harbor.delete_usergroup(crew)
    assert await harbor.get_usergroups(group_name="deck") == []

"""People and their accounts."""

from dataclasses import dataclass

from fairway.client.call import API, Call, Listing, asking, changing, filters, making, matching, reader


@dataclass(frozen=True, slots=True)
class User:
    """Harbor's UserResp."""

    user_id: int
    username: str
    email: str = ""
    realname: str = ""
    comment: str = ""
    sysadmin_flag: bool = False
    creation_time: str = ""
    update_time: str = ""


def current() -> Call[User]:
    """Who the caller is."""
    return asking(reader(User), f"{API}/users/current")


def listed(*, name: str = "", q: str = "", sort: str = "") -> Listing[User]:
    """Everybody with an account; `name` is a part of the user name."""
    terms = ",".join(filter(None, (matching(username__part=name), q)))
    return Listing(f"{API}/users", reader(User), {"q": filters(terms), "sort": sort})


def called(username: str) -> Listing[User]:
    """The user with exactly this name, if there is one."""
    return Listing(f"{API}/users", reader(User), {"q": filters(matching(username=username))})


def get(user: int) -> Call[User]:
    """One user by id."""
    return asking(reader(User), f"{API}/users/{user}")


def create(
    username: str, password: str, *, email: str = "", realname: str = "", comment: str = ""
) -> Call[int]:
    """Make an account; its id."""
    body = {
        "username": username,
        "password": password,
        "email": email,
        "realname": realname,
        "comment": comment,
    }
    return making(f"{API}/users", body)


def set_profile(user: int, *, email: str, realname: str, comment: str) -> Call[None]:
    """Replace what is known of a person."""
    body = {"email": email, "realname": realname, "comment": comment}
    return changing("PUT", f"{API}/users/{user}", body)


def set_sysadmin(user: int, *, sysadmin: bool) -> Call[None]:
    """Make somebody a system administrator, or no longer."""
    return changing("PUT", f"{API}/users/{user}/sysadmin", {"sysadmin_flag": sysadmin})


def set_password(user: int, new: str, *, old: str = "") -> Call[None]:
    """Set a password; who changes their own shows the old one."""
    return changing("PUT", f"{API}/users/{user}/password", {"old_password": old, "new_password": new})


def delete(user: int) -> Call[None]:
    """Close an account."""
    return changing("DELETE", f"{API}/users/{user}")

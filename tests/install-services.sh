#!/bin/sh
# Install the Debian packages that some tests drive: a database server and real registry clients.
#
# Does nothing when they are there. Installs them where that is allowed (root, or sudo without a password).
# Where it is not, says which are missing: the tests that need them skip and name the reason.
# FAIRWAY_TEST_APT=no leaves the machine alone. In CI (CI set) a failing installation is an error.
set -eu

PACKAGES="postgresql skopeo podman buildah umoci mmdebstrap haproxy e2fsprogs strace docker-registry nginx iproute2 iptables prometheus"

missing=""
for package in $PACKAGES; do
    if command -v dpkg-query >/dev/null 2>&1; then
        status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
        [ "$status" = "install ok installed" ] || missing="$missing $package"
    else
        command -v "$package" >/dev/null 2>&1 || missing="$missing $package"
    fi
done
[ -n "$missing" ] || exit 0

give_up() {
    echo "services: missing:$missing ($1); the tests that need them will skip"
    exit 0
}

[ "${FAIRWAY_TEST_APT:-yes}" != no ] || give_up "FAIRWAY_TEST_APT=no"
command -v apt-get >/dev/null 2>&1 || give_up "no apt-get on this system"
if [ "$(id -u)" = 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    give_up "not root and no sudo without a password; install them with: apt-get install$missing"
fi

# A package that brings a server starts it, on Debian: nobody asked for a registry on port 5000 for good.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
    trap '$as_root rm -f "$policy"' EXIT
fi

echo "services: installing$missing"
install() {
    $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 $missing >/dev/null </dev/null
}
# The package lists of a fresh machine are empty and those of an old one stale: refresh, then try; a mirror may be busy.
tries=3
until $as_root apt-get update -qq </dev/null; install; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] && sleep 10 && continue
    [ -z "${CI:-}" ] || { echo "services: installing$missing failed" >&2; exit 1; }
    give_up "apt-get failed"
done

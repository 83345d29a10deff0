#!/bin/sh
# Get the registry clients that are not in this machine's own release, into one folder and nowhere else.
#
#   sh tests/install-clients.sh          all of them: newer Debian packages unpacked, the rest built with Go (minutes, once)
#   sh tests/install-clients.sh debian   only what needs no building (a minute)
#
# FAIRWAY_TEST_CLIENTS names the folder. What cannot be had is said, and its tests skip: this never fails for that.
set -u

FOLDER=${FAIRWAY_TEST_CLIENTS:-${XDG_CACHE_HOME:-$HOME/.cache}/fairway-clients}
SUITES="trixie sid"
PACKAGES="crane oras cosign notation containerd runc docker.io docker-cli"
# name, module, version
MODULES="
regctl github.com/regclient/regclient/cmd/regctl v0.11.7
helm3 helm.sh/helm/v3/cmd/helm v3.22.0
helm4 helm.sh/helm/v4/cmd/helm v4.3.1
"

mkdir -p "$FOLDER/bin"
exec 9>"$FOLDER/lock"
if command -v flock >/dev/null 2>&1; then flock 9; fi

missed() { echo "clients: no $1: $2"; }

note() { # program, version, where from
    { grep -v "^$1 " "$FOLDER/versions" 2>/dev/null; echo "$1 $2 $3"; } >"$FOLDER/versions.new"
    mv "$FOLDER/versions.new" "$FOLDER/versions"
}

# An apt of its own, which neither reads nor changes what is installed here. The mirror and the key that vouches for it
# are those the machine already trusts for its own release.
private_apt() {
    apt=$FOLDER/apt
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/debs"
    : >"$apt/status"
    mirror=$(apt-get indextargets --format '$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        sed -n 's/^Debian|//p' | head -n 1)
    key=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -n "$mirror" ] && [ -r "$key" ] || return 1
    for suite in $SUITES; do echo "deb [signed-by=$key] $mirror $suite main"; done >"$apt/sources.list"
    cat >"$apt/apt.conf" <<CONF
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
Acquire::Languages "none";
APT::Sandbox::User "";
CONF
    APT_CONFIG=$apt/apt.conf apt-get update -qq </dev/null
}

from_debian() {
    wanted=""
    for package in $PACKAGES; do [ -e "$FOLDER/packages/$package" ] || wanted="$wanted $package"; done
    [ -n "$wanted" ] || return 0
    if ! command -v apt-get >/dev/null 2>&1 || ! private_apt; then
        missed "$wanted" "needs apt-get, Debian's package lists (apt-get update) and debian-archive-keyring"
        return 0
    fi
    mkdir -p "$FOLDER/packages"
    for package in $wanted; do
        if ! (cd "$apt/debs" && APT_CONFIG=$apt/apt.conf apt-get download -qq "$package" </dev/null); then
            missed "$package" "apt-get could not download it"
            continue
        fi
        deb=$(ls "$apt/debs/${package}"_*.deb)
        if dpkg-deb -x "$deb" "$apt/unpacked"; then
            for place in usr/bin usr/sbin; do
                [ ! -d "$apt/unpacked/$place" ] || find "$apt/unpacked/$place" -type f -exec cp {} "$FOLDER/bin/" \;
            done
            note "$package" "$(dpkg-deb -f "$deb" Version)" Debian
            : >"$FOLDER/packages/$package"
        fi
        rm -rf "$apt/unpacked" "$deb"
    done
    rm -rf "$apt"
}

from_go() {
    echo "$MODULES" | while read -r name module version; do
        [ -n "$name" ] || continue
        if [ -x "$FOLDER/bin/$name" ] && grep -q "^$name $version " "$FOLDER/versions" 2>/dev/null; then continue; fi
        if ! command -v go >/dev/null 2>&1; then
            missed "$name" "install Go and run this again"
            continue
        fi
        echo "clients: building $name $version, once ..."
        if GOBIN=$FOLDER/go GOFLAGS="-trimpath -buildvcs=false" \
            nice -n 10 go install -ldflags "-s -w" "$module@$version" </dev/null; then
            mv "$FOLDER/go/${module##*/}" "$FOLDER/bin/$name"
            note "$name" "$version" Go
        else
            missed "$name" "it did not build"
        fi
    done
    rm -rf "$FOLDER/go"
}

from_debian
[ "${1:-all}" = debian ] || from_go
echo "clients: $(ls "$FOLDER/bin" | tr '\n' ' ')in $FOLDER/bin"

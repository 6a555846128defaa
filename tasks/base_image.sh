#!/usr/bin/env bash
# Make debian:bookworm-slim out of Debian's packages, for an engine that reaches no image registry. Needs root.
# It takes over how this host reaches its packages: apt's mirrors, pip's index and certificates. Do not publish it.
set -euo pipefail

suite=bookworm
work=$(mktemp --directory --tmpdir=/var/tmp base-image.XXXXXX)
trap 'rm -rf "$work"' EXIT
root=$work/root

pip_setting() {   # the value of one setting of pip, wherever it was made; nothing if nowhere
    python3 -m pip config list | sed -n "s/^[^=]*\.$1='\(.*\)'\$/\1/p" | head -n 1
}

# shellcheck disable=SC2016  # apt fills these in
sources=$(apt-get indextargets --format 'deb $(SITE) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' |
    grep -E " $suite(-updates|-security)? main\$" | sort -u) || {
    echo "base_image: apt knows no mirror of Debian $suite; run apt-get update" >&2
    exit 1
}
mirror=$(awk -v suite="$suite" '$3 == suite { print $2; exit }' <<<"$sources")
debootstrap --variant=minbase "$suite" "$root" "$mirror" >"$work/log" || {
    tail -n 20 "$work/log" "$root/debootstrap/debootstrap.log" >&2
    exit 1
}
echo "$sources" >"$root/etc/apt/sources.list"

# What makes the official image slim, and its packages quick to install.
echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/speed"
for folder in doc man locale info; do
    echo "path-exclude /usr/share/$folder/*"
    rm -rf "${root:?}/usr/share/$folder"
    mkdir "$root/usr/share/$folder"
done >"$root/etc/dpkg/dpkg.cfg.d/slim"
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/*.log

certificates=$(pip_setting cert)
index=$(pip_setting index-url)
{
    echo '[global]'
    if [ -n "$certificates" ]; then
        install -D --mode=644 "$certificates" "$root/etc/ssl/pip.crt"
        echo 'cert = /etc/ssl/pip.crt'
    fi
    [ -z "$index" ] || echo "index-url = $index"
} >"$root/etc/pip.conf"

tar --create --numeric-owner --one-file-system --directory "$root" . |
    docker import --change 'CMD ["bash"]' - "debian:$suite-slim" >/dev/null

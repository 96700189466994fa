#!/bin/sh
# Makes of a release of the toy, /root/VERSION, one that brings a list of what belongs in it.
#
#   sets.sh VERSION plain|wide
#
# A plain one has what every release of the toy has, and a document; a wide one has a socket, its
# service, another program and a manual page, and no document.
set -eu
version=$1
cd "/root/$version"
units='toy.slice toy-rescue.service toyd.service'
programs=toyd
case $2 in
plain)
    mkdir -p share/doc/toy
    echo "about $version" >share/doc/toy/README
    ;;
wide)
    units="toy.slice toy-rescue.service toyd-extra.socket toyd-extra.service toyd.service"
    programs='toyd toyctl'
    mkdir -p share/man/man8
    echo ".TH toyctl 8 $version" >share/man/man8/toyctl.8
    printf '#!/bin/sh\ncase $1 in --version) echo toyctl %s ;; *) exec sleep infinity ;; esac\n' \
        "$version" >bin/toyctl
    chmod 755 bin/toyctl
    printf '[Socket]\nListenStream=/run/toyd-extra.sock\n[Install]\nWantedBy=sockets.target\n' \
        >units/toyd-extra.socket.in
    printf '[Service]\nExecStart=@programs@/toyctl serve\n' >units/toyd-extra.service.in
    ;;
esac

# Puts commas between lines.
listed() { sed '$!s/$/,/'; }

named() { for name in $1; do printf '{"name": "%s"}\n' "$name"; done | listed; }

unit() {
    enable=true stateful=false
    case $1 in
    *.slice | toyd-extra.service) enable=false ;;
    toyd.service) stateful=true ;;
    esac
    printf '{"name": "%s", "enable": %s, "stateful": %s}\n' "$1" $enable $stateful
}

file() {
    case $1 in bin/*) mode=493 ;; *) mode=420 ;; esac
    sum=$(sha256sum <"$1")
    printf '"%s": {"mode": %s, "sha256": "sha256:%s"}\n' "$1" $mode "${sum%% *}"
}

{
    printf '{"schema": 1, "product": "toy", "version": "%s", "handover": 1,\n' "$version"
    printf '"programs": [\n%s\n],\n' "$(named "$programs")"
    printf '"units": [\n%s\n],\n' "$(for one in $units; do unit "$one"; done | listed)"
    printf '"files": {\n%s\n}}\n' \
        "$(find bin units share -type f | sort | while read -r one; do file "$one"; done | listed)"
} >release.json

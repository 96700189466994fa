#!/bin/sh
# Kills the toolkit at every system call of one operation by which it changes anything, each time
# runs another command, and looks whether the host is wholly old or wholly new.
#
#   kill.sh install|update|rollback|uninstall [EVERY [NAMES]]
#
# With EVERY, of the calls that write a file which has no name yet, or none that counts, at each of so many
# alone; at every one by which a name comes, goes or leads elsewhere, and by which systemd is asked, or with
# NAMES at each of so many of those.
#
# Says what it counted; ends with 1 and the difference at the first host that is neither.
set -u
operation=$1
every=${2:-1}
names=${3:-1}
toy=/usr/local/sbin/toy
calls=openat,write,pwrite64,writev,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir
calls=$calls,symlink,symlinkat,link,linkat,chmod,fchmod,fchmodat,chown,fchown,lchown,fchownat
calls=$calls,ftruncate,sendmsg,sendto

bad() {
    echo "BAD: $*"
    cat /root/said 2>/dev/null
    exit 1
}

# Names, kinds, modes, links and contents of everything where the toolkit could have a hand. Left
# out are what others change at any time, the lock, which a boot takes away, and the program itself,
# which is more to read than all else.
tree() {
    find /etc /usr/local /var/lib /run \
        \( -path /run/systemd -o -path /run/udev -o -path /run/log -o -path /run/dbus \
        -o -path /run/lock -o -path /run/user -o -path /run/utmp -o -path /run/toy-install.lock \
        -o -path /var/lib/systemd -o -path /var/lib/dbus -o -path $toy $* \) -prune \
        -o -printf '%p %y %m %l\n' -type f -exec sha256sum {} + | sort
}

# As tree, without what the daemon writes.
product_tree() { tree -o -path /var/lib/toy -o -path /run/toy; }

# The same for what two runs of the same operation must agree in: all but when it was.
timeless() { grep -v ' /etc/toy/\| /var/lib/toy-install/trial\|^/var/lib/toy-install ' "$1"; }

same() { cmp -s "$1" "$2"; }

child() {
    read -r pid </var/lib/toy/child && cut -d' ' -f1,22 "/proc/$pid/stat"
}

end_child() {
    read -r pid </var/lib/toy/child && kill "$pid"
} 2>/dev/null

well() {
    current=$(readlink /usr/local/lib/toy/current)
    read -r pid version </run/toy/answer || bad "$1: no answer"
    [ "$version" = "$current" ] || bad "$1: $version runs, $current is there"
    kill -0 "$pid" || bad "$1: who answered is gone"
}

case $operation in
install) words="install /root/0.1.0 0.1.0" ;;
update) words="update /root/0.1.1 0.1.1" ;;
rollback) words="rollback" ;;
uninstall) words="uninstall --purge" ;;
esac

run() { "$toy" $* >/root/said 2>&1; }

# The host that the operation starts from.
start() {
    case $operation in
    install)
        if [ -e /etc/toy/install.json ]; then end_child; run uninstall --purge; fi
        [ ! -e /etc/toy ] || bad "it is still installed"
        ;;
    update)
        [ "$(readlink /usr/local/lib/toy/current)" = 0.1.0 ] || run rollback
        ;;
    rollback)
        [ "$(readlink /usr/local/lib/toy/current)" = 0.1.1 ] || run update /root/0.1.1 0.1.1
        ;;
    uninstall)
        [ -e /etc/toy/install.json ] || run install /root/0.1.0 0.1.0
        end_child
        ;;
    esac
}

# Another command than the one that was killed; none of these changes anything of its own.
another() {
    case $(($1 % 4)) in
    0) echo restart ;;
    1) echo "update /nonexistent 9.9.9" ;;
    2) echo "install /nonexistent 9.9.9" ;;
    3) echo "uninstall" ;;
    esac
}

recover() {
    if [ $operation = uninstall ] && [ "$1" = uninstall ]; then set -- "restart"; fi
    run $1 || grep -q 'still running: child\|no release in\|is not installed' /root/said ||
        bad "$2: $1"
}

gone() {
    left=$(grep -e '[.]staging' -e 'journal[.]json' -e '[.]installer-new' "$1")
    [ -z "$left" ] || bad "$2: $left"
}

tree >/root/pristine
if [ $operation != install ]; then run install /root/0.1.0 0.1.0 || bad install; fi
start
strace -y -s 400 -o /root/trace -e trace=$calls -e signal=none $toy $words >/root/said 2>&1 || bad "$words"
tree >/root/whole
product_tree >/root/new
[ $operation != uninstall ] || same /root/pristine /root/whole || bad "uninstall left something"

# The name of each call and which of its name it is, where it changes anything: of the messages those
# that ask systemd to. A kill before an fsync finds what a kill before the next change finds.
awk -F'(' '
    /^[a-z0-9_]+\(/ {
        count[$1]++
        if ($1 == "openat" && !/O_CREAT|O_TRUNC/) next
        if ($1 ~ /^p?write/ && !/^[a-z0-9]+\([0-9]+<\/[^d]/) next
        if ($1 ~ /^send/ && !/Reload|StartUnit|StopUnit|RestartUnit|UnitFiles|ResetFailed/) next
        print $1, count[$1]
    }' /root/trace >/root/points

killed=0 missed=0 old=0 new=0 number=0 passing=0
while read -r name ordinal; do
    number=$((number + 1))
    case $name in
    open* | write* | pwrite* | chmod | fchmod* | chown | fchown* | lchown | ftruncate)
        passing=$((passing + 1))
        [ $((passing % every)) -eq 0 ] || continue
        ;;
    *)
        [ $(((number - passing) % names)) -eq 0 ] || continue
        ;;
    esac
    place="$operation killed at $name $ordinal"
    start
    product_tree >/root/before
    lived=$(child 2>/dev/null)
    strace -o /dev/null -e trace="$name" -e inject="$name:signal=KILL:when=$ordinal" \
        $toy $words >/root/said 2>&1
    case $? in
    137) killed=$((killed + 1)) ;;
    0) missed=$((missed + 1)) ;;
    *) bad "$place: it failed" ;;
    esac
    recover "$(another $number)" "$place"
    product_tree >/root/after
    gone /root/after "$place"
    if [ -e /etc/toy/install.json ]; then well "$place"; fi
    timeless /root/after >/root/after.t
    timeless /root/new >/root/new.t
    timeless /root/before >/root/before.t
    if same /root/before /root/after ||
        { [ $operation = install ] && [ ! -e /etc/toy ] && same /root/before.t /root/after.t; }; then
        old=$((old + 1))
    elif same /root/new.t /root/after.t; then
        new=$((new + 1))
    else
        diff /root/before /root/after
        diff /root/new.t /root/after.t
        bad "$place: neither old nor new"
    fi
    case $operation in
    update | rollback) [ "$(child)" = "$lived" ] || bad "$place: the child" ;;
    install)
        end_child
        run uninstall --purge || grep -q 'is not installed' /root/said || bad "$place: uninstall"
        tree >/root/after
        same /root/pristine /root/after ||
            { diff /root/pristine /root/after; bad "$place: uninstall left something"; }
        ;;
    esac
done </root/points
echo "$killed kills at $number calls, $missed runs that were through before, $old ended old, $new ended new"

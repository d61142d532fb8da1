#!/bin/bash
# A throw-away machine: systemd as PID 1 of namespaces of its own, on a copy-on-write view of this machine's disk. Its
# network is an own `lo`. Of the host it touches one cgroup, and a folder that only it can see into.
#
#   machine.sh keep FOLDER CGROUP    keeps a machine until its standard input ends, and then leaves nothing behind.
#                                    A line `boot` starts it, `off` shuts it down in order; its disk stays between.
#                                    Answers, a line each: `up PID`, `down`, or `failed WHY`.
#   machine.sh inner FOLDER          what becomes PID 1
#
# $BUILD is a folder that is to be seen inside under the same path.
set -euo pipefail

# What has no business on a machine without hardware, or would reach for the host's.
MASKED=(systemd-{udevd,udev-trigger,timesyncd,sysctl,modules-load,remount-fs,binfmt,logind,random-seed,update-utmp}.service
    systemd-{firstboot,pcrphase,pcrphase-sysinit,resolved,networkd}.service
    systemd-udevd-{kernel,control}.socket systemd-journald-audit.socket proc-sys-fs-binfmt_misc.automount
    dev-{hugepages,mqueue}.mount sys-kernel-{debug,tracing,config}.mount sys-fs-fuse-connections.mount getty.target)

# Steps of 50 ms.
readonly BOOT_LIMIT=1200 OFF_LIMIT=600

machine=
init=

boot() {
    (
        echo "$BASHPID" >"$cgroup/cgroup.procs"
        exec unshare --mount --pid --uts --ipc --cgroup --net --fork --kill-child --propagation private \
            "$BASH" "$0" inner "$folder"
    ) >"$folder/console" 2>&1 </dev/null &
    machine=$!
    for ((i = 0; i < BOOT_LIMIT; i++)); do
        init=$(pgrep --parent "$machine" || true)
        if [[ -n $init && -S /proc/$init/root/run/systemd/private && $(<"/proc/$init/comm") == systemd ]]; then
            if inside systemctl is-system-running --wait >"$folder/state" 2>&1; then
                echo "up $init"
            else
                echo "failed $(<"$folder/state"): $(inside systemctl --failed --plain --no-legend | tr '\n' ' ')"
            fi
            return
        fi
        kill -0 "$machine" 2>/dev/null || break
        sleep 0.05
    done
    echo "failed no systemd: $(tr '\n' ' ' <"$folder/console")"
}

inside() { timeout 60 nsenter --target "$init" --all -- "$@"; }

off() {
    kill -s RTMIN+4 "$init" # systemd(1): power off
    for ((i = 0; i < OFF_LIMIT; i++)); do
        kill -0 "$machine" 2>/dev/null || break
        sleep 0.05
    done
    finish
    echo down
}

# With init all other processes of its namespace end.
finish() {
    if [[ -n $machine ]]; then
        if [[ -n $init ]]; then kill -KILL "$init" 2>/dev/null || true; fi
        kill -KILL "$machine" 2>/dev/null || true
        { wait "$machine" || true; } 2>/dev/null # without bash's word about it
        machine='' init=''
    fi
}

leave() {
    finish
    for ((i = 0; i < OFF_LIMIT; i++)); do
        find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null && break
        sleep 0.05
    done
    umount --lazy "$folder/disk" || true
    rm -rf --one-file-system "$folder"
}

keep() {
    trap leave EXIT
    # A mount namespace of its own: nobody else sees the disk, and it goes with the last of us.
    mkdir "$folder/disk"
    mount -t tmpfs -o mode=755 tmpfs "$folder/disk"
    mkdir "$folder/disk/upper" "$folder/disk/work" "$folder/disk/root"
    while read -r command; do
        case $command in
        boot) boot ;;
        off) off ;;
        esac
    done
}

inner() {
    local disk=$folder/disk root=$folder/disk/root mount name unit
    mount -t overlay -o "lowerdir=/,upperdir=$disk/upper,workdir=$disk/work" overlay "$root"
    mount -t proc proc "$root/proc"
    mount --bind "$root/proc/sys" "$root/proc/sys"
    mount -o remount,bind,ro "$root/proc/sys"
    mount -t sysfs -o ro sysfs "$root/sys"
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
    for mount in run:755 tmp:1777 dev:755; do
        mount -t tmpfs -o "mode=${mount#*:}" tmpfs "$root/${mount%:*}"
    done
    for name in null zero full random urandom tty; do cp -a "/dev/$name" "$root/dev/$name"; done
    mkdir -m 1777 "$root/dev/shm"
    mkdir "$root/dev/pts"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
    ln -s pts/ptmx "$root/dev/ptmx"
    ln -s /proc/self/fd "$root/dev/fd"
    for name in 0:stdin 1:stdout 2:stderr; do ln -s "fd/${name%:*}" "$root/dev/${name#*:}"; done
    # Only at the first boot: what is enabled afterwards is the machine's own.
    if [[ ! -e $disk/made ]]; then
        rm -rf "$root/etc/systemd/system" "$root/etc/systemd/user"
        mkdir -p "$root/etc/systemd/system" "$root/etc/systemd/user"
        : >"$root/etc/fstab"
        : >"$root/etc/machine-id"
        # A container's image may forbid packages to touch services.
        rm -f "$root/usr/sbin/policy-rc.d"
        for unit in "${MASKED[@]}"; do ln -s /dev/null "$root/etc/systemd/system/$unit"; done
        : >"$disk/made"
    fi
    # The programs of the build: it may be on another file system than /, and a file that is replaced under an overlay
    # is seen as it was, as it is, or not at all.
    mkdir -p "$root$BUILD"
    mount --bind "$BUILD" "$root$BUILD"
    mount -o remount,bind,ro "$root$BUILD"
    hostname throw-away
    cd "$root"
    mkdir run/old
    pivot_root . run/old
    umount -l run/old
    rmdir run/old
    mount --make-rshared / # else LoadCredential= leaves an empty folder
    exec env -i container=tokend-tests PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
        /lib/systemd/systemd --log-target=journal --show-status=no --unit=multi-user.target
}

readonly action=$1 folder=$2
readonly cgroup=${3:-}
case $action in
keep | inner) "$action" ;;
*) exit 2 ;;
esac

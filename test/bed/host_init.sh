#!/bin/bash
# pid 1 of a test-bed host. It runs inside fresh namespaces, builds the host's own root, and then reaps.
#
# environment: BED_NAME BED_ADDRESS BED_STATE (an empty directory; mounts on it stay in our namespace)
#              BED_HOSTS (lines for /etc/hosts)
# arguments:   directories of the machine to show read-only at the same path
# talks:       prints "pid N" (as the machine sees it), waits for a line once its link exists, prints "ready"
#
# A host must really lack the user's program and data: /home /root /srv /tmp /run /var /opt /mnt are empty.
# /usr and /etc are overlays, so that a host may install or break things for itself.
set -eu
umask 022
# mount -n: without it, mount makes /run/mount on this machine while that is still our /run.
read -r outside _ < /proc/self/stat
echo "pid $outside"

hostname "$BED_NAME"
base=$BED_STATE
mount -n -t tmpfs -o mode=755 mosix-bed "$base"
root=$base/root
mkdir -p "$root" "$base"/{upper,scratch}/{usr,etc}
mount -n --bind "$root" "$root"
cd "$root"
mkdir -p usr etc proc sys dev home srv root tmp run var/{tmp,lib,log,cache} mnt media opt .old
chmod 1777 tmp var/tmp
chmod 700 root
ln -s /run var/run

for link in /bin /sbin /lib /lib32 /lib64 /libx32; do
  if [ -L "$link" ]; then
    cp -P "$link" ".$link"
  elif [ -d "$link" ]; then # a system without merged /usr
    mkdir ".$link"
    mount -n --bind -o ro "$link" ".$link"
  fi
done

echo "$BED_NAME" > "$base/upper/etc/hostname"
printf '127.0.0.1 localhost\n%s\n' "$BED_HOSTS" > "$base/upper/etc/hosts"
tr -d - < /proc/sys/kernel/random/uuid > "$base/upper/etc/machine-id"
for tree in usr etc; do
  mount -n -t overlay -o "lowerdir=/$tree,upperdir=$base/upper/$tree,workdir=$base/scratch/$tree" mosix-bed "$tree"
done

mount -n -t proc proc proc
cat /proc/sys/kernel/random/uuid > "$base/boot_id"
mount -n --bind "$base/boot_id" proc/sys/kernel/random/boot_id
for scope in all default; do { echo 1 > "proc/sys/net/ipv6/conf/$scope/disable_ipv6"; } 2>/dev/null || true; done
mount -n -t sysfs sysfs sys
mount -n -t cgroup2 cgroup2 sys/fs/cgroup

mount -n -t tmpfs -o mode=755 dev dev
# The host's own limits, where this machine has their controllers in hierarchies of version 1: a node must be able to see them.
while IFS=: read -r _ controllers _; do
  case ,$controllers, in *,cpu,* | *,memory,* | *,cpuset,*)
    mkdir -p "dev/cgroup/$controllers"
    mount -n -t cgroup -o "$controllers" cgroup "dev/cgroup/$controllers"
    ;;
  esac
done < /proc/self/cgroup
mkdir dev/{pts,shm,mqueue,net}
for node in null zero full random urandom tty userfaultfd net/tun; do
  [ -e "/dev/$node" ] || continue
  : > "dev/$node"
  mount -n --bind "/dev/$node" "dev/$node"
done
mount -n -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
mount -n -t tmpfs -o mode=1777 shm dev/shm
mount -n -t mqueue mqueue dev/mqueue 2>/dev/null || true
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr

count=0
for shared in "$@"; do # ordinary users must be able to look into it, even if only root may on this machine
  case $shared in /root/*) chmod 711 root ;; esac
  mkdir -p ".$shared"
  case $(stat -c %a "$shared") in
    *[57])
      mount -n --bind "$shared" ".$shared"
      mount -n -o remount,bind,ro ".$shared"
      ;;
    *) # an overlay's top directory has the mode of its upper directory
      count=$((count + 1))
      mkdir -p "$base"/{upper,scratch}/"shared$count"
      chmod 755 "$base/upper/shared$count"
      mount -n -t overlay -o "ro,lowerdir=$shared,upperdir=$base/upper/shared$count,workdir=$base/scratch/shared$count" mosix-bed ".$shared"
      ;;
  esac
done

read -r _ # the link exists now
ip -batch - <<LINKS
link set lo up
addr add $BED_ADDRESS/24 dev eth0
link set eth0 up
LINKS

pivot_root . .old
cd /
umount -n -l /.old
rmdir /.old
echo ready
# bash reaps whatever is re-parented to it; reading a pipe nobody writes to waits for ever.
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  bash -c 'exec 3<> <(:); while :; do read -r -u 3 _; done' < /dev/null > /dev/null 2>&1

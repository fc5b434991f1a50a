#!/bin/bash
# Tells whether something was left behind on this machine. Knows nothing about the test-bed, on purpose.
#
# usage: leftovers.sh snapshot FILE
#        leftovers.sh compare FILE [--ignore REGEX]... [--only REGEX] [--wait SECONDS]
#
# It looks at processes, namespaces, mounts, network links, cgroups, System V IPC and the files in /tmp, /run and
# /dev/shm. `compare` prints "left KIND KEY DESCRIPTION" for what is there now and was not there at the snapshot,
# and "gone KIND KEY" for mounts and links that vanished; exit status 1 if it printed anything, 2 for bad usage.
#
# Other work may share the machine: what differs is looked at again for --wait seconds (default 5) and counts only
# if it is there every time. --ignore drops lines that match, --only keeps no others; both see "KIND KEY DESCRIPTION".
# Not counted: kernel threads, this script and its ancestors, and zombies that only pid 1 can reap.
set -u
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

usage() {
  sed -n 's/^# usage: /usage: /p; s/^#        leftovers/       leftovers/p' "$0" >&2
  exit 2
}

# All output below is one line per thing: KIND <tab> KEY <tab> DESCRIPTION. The key alone decides identity.

processes() {
  local directory pid stat fields command cgroup name ancestors own
  ancestors=$(ancestors_of "$BASHPID")
  own="${ancestors%%" $$ "*} $$ " # subshells of this script
  for directory in /proc/[0-9]*; do
    pid=${directory#/proc/}
    { read -r -d '' stat < "$directory/stat"; } 2>/dev/null
    [ -n "$stat" ] || continue
    name=${stat#*(}
    name=${name%)*}
    read -r -a fields <<< "${stat##*) }" # from the third field of proc(5) on: state, ppid, ...
    [ "${fields[1]}" = 2 ] && continue
    [ "${fields[0]}" = Z ] && [ "${fields[1]}" = 1 ] && continue
    [ "$pid" = 2 ] || [[ $own == *" ${fields[1]} "* ]] && continue
    [[ $ancestors == *" $pid "* ]] && continue
    command=$(tr '\0\n\t' '   ' < "$directory/cmdline") 2>/dev/null
    cgroup=$(grep '^0::' "$directory/cgroup") 2>/dev/null
    printf 'process\t%s started %s\t%s %s (%s) %s\n' "$pid" "${fields[19]}" "${fields[0]}" "$name" "$cgroup" "${command:0:120}"
  done 2>/dev/null
}

ancestors_of() { # itself included
  local pid=$1 stat
  while [ "$pid" -gt 0 ]; do
    printf ' %s ' "$pid"
    read -r -d '' stat < "/proc/$pid/stat"
    stat=${stat##*) }
    stat=${stat#* }
    pid=${stat%% *}
  done 2> /dev/null
}

namespaces() { # by their members; not those that only a mount or descriptor keeps alive
  find /proc/[0-9]*/ns -maxdepth 1 -type l -printf '%l\t%h\n' 2>/dev/null | grep -F ':[' | sort -u -k 1,1 |
    while IFS=$'\t' read -r namespace directory; do
      printf 'namespace\t%s\tfirst seen in %s\n' "$namespace" "${directory%/ns}"
    done
}

mounts() {
  local rest
  while read -r _ _ _ root point rest; do
    printf 'mount\t%s %s\t%s\n' "$point" "$root" "${rest#* - }"
  done < /proc/self/mountinfo
}

links() {
  find /sys/class/net -mindepth 1 -maxdepth 1 -printf 'link\t%f\t\n'
}

cgroups() {
  local kind point
  while read -r _ point kind _; do
    case $kind in cgroup | cgroup2) find "$point" -mindepth 1 -type d -printf 'cgroup\t%p\t\n' ;; esac
  done < /proc/self/mounts
}

ipc() {
  local kind key id
  for kind in shm sem msg; do
    while read -r key id _; do
      [ "$key" = key ] || printf 'ipc\t%s %s\tkey %s\n' "$kind" "$id" "$key"
    done < "/proc/sysvipc/$kind"
  done
}

files() {
  find /tmp /run /dev/shm -xdev -mindepth 1 ! -path "$file" -printf 'file\t%p\t%y owner %u\n' 2>/dev/null
}

everything() {
  processes
  namespaces
  mounts
  links
  cgroups
  ipc
  files
}

wanted() { # of the lines on standard input
  local line pattern
  while IFS= read -r line; do
    [ -z "$only" ] || [[ ${line//$'\t'/ } =~ $only ]] || continue
    for pattern in ${ignored[@]+"${ignored[@]}"}; do [[ ${line//$'\t'/ } =~ $pattern ]] && continue 2; done
    printf '%s\n' "$line"
  done
}

difference() { # prints what is left and what is gone, compared with the snapshot
  local now kind key description
  declare -A before=() present=()
  while IFS=$'\t' read -r kind key description; do before["$kind $key"]=1; done < "$file"
  now=$(everything)
  while IFS=$'\t' read -r kind key description; do
    present["$kind $key"]=1
    [ -n "${before["$kind $key"]-}" ] || printf 'left %s\t%s\t%s\n' "$kind" "$key" "$description"
  done <<< "$now"
  while IFS=$'\t' read -r kind key description; do
    case $kind in mount | link) [ -n "${present["$kind $key"]-}" ] || printf 'gone %s\t%s\t\n' "$kind" "$key" ;; esac
  done < "$file"
}

keep_common() { # of the lines in $1 those whose identity is also in $2
  local kind key description
  declare -A again=()
  while IFS=$'\t' read -r kind key description; do again["$kind $key"]=1; done <<< "$2"
  while IFS=$'\t' read -r kind key description; do
    [ -z "$kind" ] || [ -z "${again["$kind $key"]-}" ] || printf '%s\t%s\t%s\n' "$kind" "$key" "$description"
  done <<< "$1"
}

compare() {
  local deadline=$((SECONDS + seconds)) differing
  differing=$(difference | wanted)
  while [ -n "$differing" ]; do
    sleep 0.2
    differing=$(keep_common "$differing" "$(difference)")
    [ "$SECONDS" -lt "$deadline" ] || break
  done
  [ -n "$differing" ] || return 0
  printf '%s\n' "${differing//$'\t'/ }"
  return 1
}

[ $# -ge 2 ] || usage
action=$1
file=$(realpath -m "$2")
shift 2
ignored=()
only=
seconds=5
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || usage
  case $1 in
    --ignore) ignored+=("$2") ;;
    --only) only=$2 ;;
    --wait) seconds=$2 ;;
    *) usage ;;
  esac
  shift 2
done

case $action in
  snapshot)
    : > "$file" || exit 2
    everything > "$file"
    exit 0 # whatever vanished while we looked
    ;;
  compare)
    [ -r "$file" ] || { echo "Cannot read $file" >&2; exit 2; }
    compare
    ;;
  *) usage ;;
esac

#!/bin/bash
# Removes a test-bed when the process that used it ends, however it ends.
#
# usage: janitor.sh STATE_DIRECTORY CGROUP_DIRECTORY...      (the first cgroup directory is the cgroup2 one)
#
# The user of the bed holds the other end of our standard input. End of file means that it called
# Bed.stop(), exited or was killed; there is no other way to be told, and none is needed. We run in a
# session of our own, so that Ctrl-C in the user's terminal does not reach us.
#
# Why nothing can be left behind: every process of the bed first joins a directory below the cgroup2 one
# and exits if it cannot. So killing that directory's members and then removing it either succeeds, and
# nobody can join any more, or fails because somebody joined in between, and is tried again.
trap '' INT TERM HUP QUIT PIPE
cd / || exit 1
state=$1
shift
unified=$1

# Scheduling by session (sched(7), "The autogroup feature"): under some kernels a session whose threads wake each other all
# the time keeps all other tasks of its CPUs waiting for seconds, here those of other hosts, and the kernel's own. So it is
# off while there are beds; the file remembers that it was on.
autogroup=/proc/sys/kernel/sched_autogroup_enabled
was_on=/run/mosix-bed-autogroup
if [ "$(cat "$autogroup" 2>/dev/null)" = 1 ]; then
  { : > "$was_on" && echo 0 > "$autogroup"; } 2>/dev/null
fi

while read -r _; do :; done

remove_tree() { # rmdir works on cgroups from the leaves up; their files vanish with them
  [ -d "$1" ] || return 0
  find "$1" -depth -type d -exec rmdir {} + 2>/dev/null
  [ ! -d "$1" ]
}

kill_members() { # kernels before 5.14 lack cgroup.kill
  [ -d "$unified" ] || return 0
  { echo 1 > "$unified/cgroup.kill"; } 2>/dev/null && return 0
  find "$unified" -name cgroup.procs -exec cat {} + 2>/dev/null | while read -r pid; do kill -9 "$pid"; done 2>/dev/null
}

remaining() {
  local left=0 directory
  for directory in "$@"; do remove_tree "$directory" || left=1; done
  return $((1 - left))
}

# The supervisor is pid 1 of a pid namespace right below ours that holds all hosts.
find_supervisor() {
  local pid key inner more
  [ -r "$unified/switch/cgroup.procs" ] || return 0
  while read -r pid; do
    while read -r key _ inner more; do
      [ "$key" = NSpid: ] && [ "$inner" = 1 ] && [ -z "$more" ] && echo "$pid" && return 0
    done < "/proc/$pid/status"
  done < "$unified/switch/cgroup.procs" 2> /dev/null
}

runs() { # dead but unreaped is dead
  local key state
  while read -r key state _; do
    [ "$key" = State: ] && [ "$state" != Z ] && return 0
  done 2> /dev/null < "/proc/$1/status"
  return 1
}

# First only the supervisor, with which the kernel kills all hosts. Their first processes and the programs that were
# entered into them have parents outside (unshare, nsenter, guardian.pl), which now reap them and end by themselves.
# Were the parents killed as well, reaping would be left to the machine's pid 1, and a pid namespace does not go away
# before that is done: after seconds under some, never in a container whose pid 1 does not reap.
end_supervisor() {
  local pid tries=0
  pid=$(find_supervisor)
  [ -n "$pid" ] || return 0
  kill -9 "$pid" 2> /dev/null
  for file in "$unified"/*/cgroup.freeze; do echo 0 > "$file"; done 2> /dev/null
  while runs "$pid" && [ "$tries" -lt 200 ]; do
    sleep 0.005
    tries=$((tries + 1))
  done
}

end_supervisor
tries=0
kill_members
while remaining "$@"; do
  tries=$((tries + 1))
  [ "$tries" -gt 2000 ] && exit 1 # at least ten seconds: a member is stuck in the kernel
  [ "$tries" -gt 5 ] && sleep 0.005
  kill_members
done
# The bed's mounts live in namespaces that are gone by now; --one-file-system in case one is not.
rm -rf --one-file-system -- "$state"
other_beds() {
  local directory
  for directory in "${unified%/*}"/mosix-bed-*; do
    grep -q 'populated 1' "$directory/cgroup.events" && return 0
  done 2>/dev/null
  return 1
}
[ -e "$was_on" ] && ! other_beds && { echo 1 > "$autogroup" && rm -f "$was_on"; } 2>/dev/null
exit 0

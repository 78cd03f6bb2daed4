# How long steps speak: one line when they begin, one now and then while they last, one when they end. Sourced, never run.
# shellcheck shell=bash

say() { printf '==> %s\n' "$*"; }
note() { printf '    %s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# alone <script> <folder>: waits until no other such script works on the folder. The lock is descriptor 9 of this process, and
# whatever outlives that must not inherit it.
alone() {
  exec 9<"$2"
  flock --nonblock 9 || { note "waiting for another $1 to end"; flock 9; }
}

# What `step` does when it is told to end: began in the background, its command would go on without anybody.
abandon() {
  local ends=("$1") children
  [[ -n $1 ]] || exit 130
  # A shell would leave behind what it waits for.
  if [[ /proc/$1/exe -ef /proc/$$/exe ]]; then
    read -ra children <"/proc/$1/task/$1/children" || true
    ends+=("${children[@]}")
  fi
  kill "${ends[@]}" 2>/dev/null || true
  wait "$1" || true
  exit 130
}

# step <what> <command…>: runs a command quietly; a line every 20 seconds shows it is alive, its output shows if it fails.
step() {
  local what=$1 begin=$SECONDS log pid='' ticks=0
  shift
  log=$(mktemp)
  say "$what"
  # Set before the command begins, whose number is not in `pid` yet if the signal comes just then.
  trap 'rm -f "$log"; abandon "${pid:-${!:-}}"' INT TERM HUP
  "$@" >"$log" 2>&1 &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.2
    ticks=$((ticks + 1))
    ((ticks % 100)) || note "still at it after $((SECONDS - begin)) s: $(tail -n 1 "$log" | tr -dc '[:print:]' | cut -c 1-90)"
  done
  trap - INT TERM HUP
  if wait "$pid"; then
    note "done in $((SECONDS - begin)) s"
    rm -f "$log"
  else
    note "failed after $((SECONDS - begin)) s:"
    tail -n 40 "$log" | sed 's/^/    | /' >&2
    rm -f "$log"
    return 1
  fi
}

# await <what> <seconds> <command…>: repeats a command until it succeeds, and says what it waits for.
await() {
  local what=$1 limit=$2 begin=$SECONDS told=0
  shift 2
  until "$@" >/dev/null 2>&1; do
    ((SECONDS - begin < limit)) || { note "gave up waiting for $what after $limit s" >&2; return 1; }
    ((SECONDS - begin < told + 10)) || { told=$((SECONDS - begin)); note "waiting for $what: $told s"; }
    sleep 0.2
  done
  note "$what after $((SECONDS - begin)) s"
}

# Processes that outlive the command which began them: how a later one finds that very process again. Sourced, never run.
# shellcheck shell=bash

# A process's begin, in clock ticks since this boot (the 20th field after the name in parentheses).
began() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; }
boot() { cat /proc/sys/kernel/random/boot_id; }

# identify <pid>: "<pid> <when it began> <boot>": a pid alone may belong to a stranger by now.
identify() { echo "$1 $(began "$1") $(boot)"; }

# alive <pid file>: prints the pid if that very process still runs.
alive() {
  local pid begin boot_id
  [[ -s $1 ]] && read -r pid begin boot_id _ <"$1" || return 1
  [[ $boot_id == "$(boot)" && $(began "$pid") == "$begin" ]] || return 1
  ! grep -q '^State:\sZ' "/proc/$pid/status" && echo "$pid"    # dead, and only waiting to be noticed by its parent
}

# Docker's build tool. Sourced, after settings and progress.
# shellcheck shell=bash

# The Dockerfile needs BuildKit, which all engines have and only `buildx` asks for: a part of Docker that distributions leave out.
need_buildx() {
  if docker buildx version >/dev/null 2>&1 || [[ -x $TOOLS/buildx ]]; then return; fi
  note "this Docker has no buildx: one is built, which takes some minutes, once"
  "$REPO/dev/tools/build" buildx
}
buildx() {
  if docker buildx version >/dev/null 2>&1; then docker buildx "$@"; else "$TOOLS/buildx" "$@"; fi
}

# Docker's build tool. Sourced, after settings and progress.
# shellcheck shell=bash

# The Dockerfile needs BuildKit, which all engines have and only `buildx` asks for: a part of Docker that distributions leave out.
need_buildx() { docker buildx version >/dev/null 2>&1 || "$REPO/dev/tools/build" buildx; }
buildx() {
  if docker buildx version >/dev/null 2>&1; then docker buildx "$@"; else "$TOOLS/buildx" "$@"; fi
}

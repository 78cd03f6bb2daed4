# The Docker engine that `make test-kind` starts for itself. Sourced.
# shellcheck shell=bash disable=SC2034  # the sourcing scripts use what is set here

ENGINE=$CACHE/engine              # its images and layers, and what they were made of; they outlive it
ENGINE_RUN=/run/borg-engine       # its socket and what it knows of running containers
ENGINE_PID=$ENGINE_RUN/pid
ENGINE_LINK=borg-engine           # the machine's end of the cable into its network, its firewall table and its control group
ENGINE_HOST_IP=10.213.255.1
ENGINE_IP=10.213.255.2
export DOCKER_HOST=unix://$ENGINE_RUN/docker.sock

# A resolver at 127.0.0.53 is not in the engine's network; systemd writes the real ones beside it. Needs a mount namespace.
real_resolvers() {
  local real=/run/systemd/resolve/resolv.conf
  ! grep -q '^nameserver 127\.' /etc/resolv.conf || [[ ! -e $real ]] || mount --bind "$real" /etc/resolv.conf
}

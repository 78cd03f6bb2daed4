# The project's images: operator, api and runner. `dev/images` builds them with Docker, or with buildah where there is
# none; then a fresh Debian made on the spot stands in for the pinned one below, under the same name.
ARG DEBIAN=docker.io/library/debian:trixie-20251117-slim

FROM ${DEBIAN} AS python
RUN apt-get update \
 && apt-get install --yes --no-install-recommends python3 \
 && rm -rf /var/lib/apt/lists/* /var/log/* /var/cache/* \
 && useradd --system --uid 65532 --user-group --no-create-home --home-dir /tmp --shell /bin/sh borg
# LOGNAME: where the platform gives out uids there is no such user, and Python asks for its name.
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 LOGNAME=borg


# Dependencies first, the project's own code after: a change of code leaves every layer but the last as it was.
FROM python AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates python3-venv
ARG UV_VERSION=0.13.9
ARG PIP_INDEX_URL
ARG UV_DEFAULT_INDEX
# The secret "certificates", with CERTIFICATES pointing to it, brings what a machine behind an inspecting proxy trusts.
ARG CERTIFICATES=/etc/ssl/certs/ca-certificates.crt
ENV SSL_CERT_FILE=${CERTIFICATES} PIP_CERT=${CERTIFICATES} \
    UV_PROJECT_ENVIRONMENT=/venv UV_PYTHON=/usr/bin/python3 UV_PYTHON_DOWNLOADS=never \
    UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1
RUN --mount=type=secret,id=certificates \
    python3 -m venv /uv && /uv/bin/pip install --no-cache-dir --quiet "uv==${UV_VERSION}"
WORKDIR /source
COPY pyproject.toml uv.lock ./
COPY contract/pyproject.toml contract/
COPY core/pyproject.toml core/
COPY cluster/pyproject.toml cluster/
COPY runner/pyproject.toml runner/
COPY session/pyproject.toml session/
COPY operator/pyproject.toml operator/
COPY api/pyproject.toml api/

# Four fifths of the dependencies are models and calls that the Kubernetes client has for every kind. They are loaded by name when
# somebody asks for one, and nobody does, but kopf for these three.
RUN printf '%s\n' '#!/bin/sh' "exec find /venv -path '*/kubernetes/*client/*' \( -path '*/api/*' -o -path '*/models/*' \) -type f \\" \
      "! -name '__init__*' ! -name 'v1_managed_fields_entry*' ! -name 'v1_object_meta*' ! -name 'v1_owner_reference*' -delete" \
      >/usr/local/bin/drop-unused \
 && chmod 0755 /usr/local/bin/drop-unused

FROM build AS operator-dependencies
RUN --mount=type=secret,id=certificates \
    /uv/bin/uv sync --locked --no-dev --no-install-workspace --package borg-operator \
 && drop-unused

FROM operator-dependencies AS operator-code
COPY contract contract
COPY core core
COPY cluster cluster
COPY operator operator
RUN --mount=type=secret,id=certificates \
    /uv/bin/uv pip install --no-deps --python /venv/bin/python --target /app ./contract ./core ./cluster ./operator

FROM build AS api-dependencies
RUN --mount=type=secret,id=certificates \
    /uv/bin/uv sync --locked --no-dev --no-install-workspace --package borg-api \
 && drop-unused

FROM api-dependencies AS api-code
COPY contract contract
COPY core core
COPY cluster cluster
COPY api api
RUN --mount=type=secret,id=certificates \
    /uv/bin/uv pip install --no-deps --python /venv/bin/python --target /app ./contract ./core ./cluster ./api

# For the pods of sessions, which are of the runner's image too. The runner itself never sees these.
FROM build AS session-dependencies
ENV UV_PROJECT_ENVIRONMENT=/opt/session
RUN --mount=type=secret,id=certificates \
    /uv/bin/uv sync --locked --no-dev --no-install-workspace --package borg-session

# Debian's borg is 1.4.0, whose `extract` follows symbolic links out of its target and whose `prune` knows no quarters;
# PyPI has newer ones as source only. The compiler stays here.
FROM build AS borg
RUN apt-get update \
 && apt-get install --yes --no-install-recommends \
      gcc libacl1-dev liblz4-dev libssl-dev libxxhash-dev libzstd-dev pkgconf python3-dev
ENV UV_PROJECT_ENVIRONMENT=/opt/borg
RUN --mount=type=secret,id=certificates \
    /uv/bin/uv sync --locked --no-install-workspace --package borg-runner --only-group borg-build \
 && /uv/bin/uv sync --locked --no-install-workspace --package borg-runner --only-group borg \
      --inexact --no-build-isolation-package borgbackup \
 && /uv/bin/uv sync --locked --no-install-workspace --package borg-runner --only-group borg \
 && /opt/borg/bin/borg --version


# What runs a dump's command in the image of a database, which may have nothing but that: hence static.
FROM borg AS helper
COPY runner/helper/borg-stream.c /helper/
RUN gcc -O2 -static -s -Wall -Wextra -Werror -std=c11 -o /helper/borg-stream /helper/borg-stream.c


FROM python AS operator
COPY --from=operator-dependencies /venv /venv
COPY --from=operator-code /app /app
ENV PATH=/app/bin:/venv/bin:/usr/bin:/bin PYTHONPATH=/app
USER 65532:65532
ENTRYPOINT ["borg-operator"]


FROM python AS api
COPY --from=api-dependencies /venv /venv
COPY --from=api-code /app /app
ENV PATH=/app/bin:/venv/bin:/usr/bin:/bin PYTHONPATH=/app
USER 65532:65532
EXPOSE 5000
ENTRYPOINT ["borg-api"]


# What runs in backup pods: borg, ssh, and a program that needs Python and msgpack. Beside it the program of sessions,
# with what it needs in a place of its own.
# libnss-wrapper names the user of a pod that runs under a number of its own: ssh refuses nameless ones. The image's own
# user has the number under which pods run by default (RUNNER_UID in contract/borg_contract/pod.py).
# tini is the first process: to one that has no handler yet, as Python while it starts, the kernel delivers no SIGTERM.
FROM python AS runner
RUN apt-get update \
 && apt-get install --yes --no-install-recommends \
      libacl1 liblz4-1 libnss-wrapper libssl3t64 libxxhash0 libzstd1 openssh-client \
      python3-msgpack tini \
 && rm -rf /var/lib/apt/lists/* /var/log/* /var/cache/* \
 && groupmod --gid 10001 borg \
 && usermod --uid 10001 --gid 10001 borg \
 && ln -s /opt/borg/bin/borg /usr/local/bin/borg
COPY --from=borg /opt/borg /opt/borg
COPY --from=helper /helper/borg-stream /usr/local/lib/borg-runner/borg-stream
COPY --from=session-dependencies /opt/session /opt/session
COPY session/borg_session /opt/session/code/borg_session
COPY contract/borg_contract /usr/lib/python3/dist-packages/borg_contract
COPY runner/borg_runner /usr/lib/python3/dist-packages/borg_runner
# A checkout that was made with a strict umask is for its owner alone, and pods run as somebody else.
RUN chmod -R a+rX /opt/session/code \
      /usr/lib/python3/dist-packages/borg_contract /usr/lib/python3/dist-packages/borg_runner \
 && python3 -m compileall -q /opt/session/code \
      /usr/lib/python3/dist-packages/borg_contract /usr/lib/python3/dist-packages/borg_runner \
 && printf '#!/bin/sh\nexec python3 -m borg_runner "$@"\n' >/usr/local/bin/borg-runner \
 && printf '#!/bin/sh\n%s\n%s\n' 'export PYTHONPATH=/opt/session/code:/usr/lib/python3/dist-packages' \
      'exec tini -- /opt/session/bin/python -m borg_session "$@"' >/usr/local/bin/borg-session \
 && chmod 0755 /usr/local/bin/borg-runner /usr/local/bin/borg-session
USER 10001:10001
ENTRYPOINT ["tini", "--", "borg-runner"]

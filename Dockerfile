# The server as a container image; docs/deployment.md says how to run it.
#
# Nothing of the machine that builds belongs in here. A mirror, a proxy or a private certificate
# authority is lent to the build as a secret instead, which is optional: `deploy/test-image` shows
# how. A volume would do it, too, but leaves an empty file in the image where the base has none.

# A Python for which LevelDB's binding has wheels on x86-64 and on arm64: no compiler would do for it.
ARG BASE=python:3.12-slim-bookworm


FROM ${BASE} AS build
# 1 for an image that is pure Python, where Debian's packages cannot be had.
ARG DARNERPY_PURE=0
# Before the sources, so that a change of theirs does not fetch it again. _apt reads, hence the modes.
RUN --mount=type=secret,id=debian.sources,target=/etc/apt/sources.list.d/debian.sources,mode=0444 \
    --mount=type=secret,id=apt.conf,target=/etc/apt/apt.conf.d/99build,mode=0444 \
    --mount=type=secret,id=ca-certificates.crt,target=/etc/ssl/certs/ca-certificates.crt,mode=0444 \
    case "$DARNERPY_PURE" in \
    ""|0) apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev ;; \
    esac
WORKDIR /src
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY typings typings
COPY darnerpy darnerpy
# The pip of the base installs into a venv that has none: a running server needs no installer.
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    --mount=type=secret,id=ca-certificates.crt,target=/etc/ssl/certs/ca-certificates.crt \
    python3 -m venv --without-pip /opt/darnerpy \
    && python3 -m pip --python /opt/darnerpy install --no-cache-dir '.[fast,http,top]'


FROM ${BASE}
# A number and not only a name: Kubernetes' runAsNonRoot can check nothing else. A fixed one, so
# that the owner of a volume stays the same from image to image. /data gets its owner before VOLUME
# declares it, since a new volume copies it.
RUN groupadd --gid 22133 darnerpy \
    && useradd --uid 22133 --gid 22133 --home-dir /data --no-create-home \
       --shell /usr/sbin/nologin darnerpy \
    && install --directory --owner=darnerpy --group=darnerpy --mode=0750 /data
COPY --from=build /opt/darnerpy /opt/darnerpy

# All addresses of the container, whose only reachable ports are those that you publish. HTTP is off
# until there is a DARNERPY_HTTP_TOKEN_FILE.
ENV PATH=/opt/darnerpy/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DARNERPY_DATA=/data \
    DARNERPY_LISTEN=0.0.0.0:22133 \
    DARNERPY_HTTP=guarded
VOLUME /data
WORKDIR /data
EXPOSE 22133 2223
USER 22133:22133

# Exec forms throughout: the server itself is process 1, so SIGTERM reaches it and not a shell.
STOPSIGNAL SIGTERM
# It asks 127.0.0.1:22133, or DARNERPY_SERVER: set that, too, if you change DARNERPY_LISTEN.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 CMD ["darnerpy", "stats"]
ENTRYPOINT ["darnerpy"]
CMD ["serve"]

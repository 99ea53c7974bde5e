# Driftline in a container: `docker build -t driftline .`, then `docker run --rm driftline demo`.
#
# BASE is any image with Python 3.11 or later (and its venv module) as `python3`.
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python3 -m venv /opt/driftline
WORKDIR /src
# Dependencies first: they change less often than the code, and this layer is kept.
COPY pyproject.toml ./
RUN python3 -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" > requirements.txt \
 && /opt/driftline/bin/pip install -r requirements.txt
COPY . ./
# Whole seconds, which every registry keeps: compiled code is known by the time of its source.
RUN /opt/driftline/bin/pip install --no-deps . \
 && find /opt/driftline -name '*.py' -exec touch --date=@1767225600 {} +

FROM ${BASE}
RUN groupadd --gid 10001 driftline \
 && useradd --uid 10001 --gid driftline --no-create-home --home-dir /var/lib/driftline driftline \
 && install --directory --owner=driftline --group=driftline --mode=0700 /var/lib/driftline \
 && install --directory --owner=driftline --group=driftline --mode=0700 /var/cache/driftline
COPY --from=build /opt/driftline /opt/driftline
# The signing key lies in /var/lib/driftline: keep it in a volume that the workers of a deployment
# share, or give each the key with DRIFTLINE_STATE__SIGNING_KEY. Compiled code comes with the image,
# for any processor of its architecture.
ENV PATH=/opt/driftline/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    XDG_STATE_HOME=/var/lib \
    NUMBA_CACHE_DIR=/var/cache/driftline \
    NUMBA_CPU_NAME=generic
USER 10001:10001
RUN python3 -m streams.bank.warm_up
WORKDIR /var/lib/driftline
# Inside, the web server listens on loopback; to publish it set DRIFTLINE_HTTP__HOST=0.0.0.0.
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python3", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ.get('DRIFTLINE_HTTP__PORT', '8080') + '/healthz', timeout=4)"]
ENTRYPOINT ["driftline"]
CMD ["run"]

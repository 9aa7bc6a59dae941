# An image for each service: `docker build --target dispatcher .`, or worker. The migration job runs the dispatcher's.
#
# Nothing but /tmp and /dev/shm is written at run time, so the root file system may be read-only. Settings come
# from the environment (docs/settings.md); PORT from Cloud Run.
ARG BASE_IMAGE=python:3.13-slim-trixie

# Hashed wheels in a virtual environment without pip. Whoever starts finds their bytecode made.
FROM ${BASE_IMAGE} AS packages
WORKDIR /build
RUN python3 -m venv --without-pip /opt/venv
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_ONLY_BINARY=:all:

FROM packages AS dispatcher-packages
COPY dispatcher/requirements.txt .
RUN pip --python /opt/venv/bin/python install --quiet --require-hashes --requirement requirements.txt

FROM packages AS worker-packages
COPY palette_worker/requirements.txt .
RUN pip --python /opt/venv/bin/python install --quiet --require-hashes --requirement requirements.txt

# Code and packages are root's, and whoever serves is not.
FROM ${BASE_IMAGE} AS service
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin colorway
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOST=0.0.0.0
WORKDIR /app

FROM service AS dispatcher
COPY --from=dispatcher-packages /opt/venv /opt/venv
COPY alembic.ini ./
COPY migrations/ migrations/
COPY colorway/ colorway/
COPY dispatcher/ dispatcher/
RUN python -m compileall -q --invalidation-mode unchecked-hash .
USER 10001
CMD ["gunicorn", "--config", "dispatcher/gunicorn.conf.py", "dispatcher.wsgi:app"]

FROM service AS worker
COPY --from=worker-packages /opt/venv /opt/venv
COPY colorway/ colorway/
COPY palette_worker/ palette_worker/
RUN python -m compileall -q --invalidation-mode unchecked-hash .
USER 10001
CMD ["gunicorn", "--config", "palette_worker/gunicorn.conf.py", "palette_worker.wsgi:app"]

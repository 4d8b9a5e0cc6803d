# The web page alone, without TensorFlow or notebooks; docs/DEPLOYMENT.md says how to give it a model.
#   docker build -t human-or-ai .
FROM python:3.11-slim-bookworm AS packages
ENV PIP_NO_CACHE_DIR=1
WORKDIR /srv/app
COPY requirements-app.txt ./
RUN python3 -m venv --without-pip /srv/venv \
    && pip --python /srv/venv/bin/python install --require-hashes -r requirements-app.txt

FROM python:3.11-slim-bookworm
ENV PATH=/srv/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MODEL_CACHE=/srv/cache
WORKDIR /srv/app
RUN install -d -m 0700 -o 10001 -g 10001 /srv/cache
COPY --from=packages /srv/venv /srv/venv
COPY gunicorn.conf.py ./
COPY src ./src
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request as web; web.urlopen(f'http://127.0.0.1:{os.environ.get(\"PORT\") or 8000}/healthz', timeout=4)"]
CMD ["gunicorn", "src.app:create_app()"]

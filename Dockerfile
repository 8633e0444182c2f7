# Two images. The server, from nothing but its program:
#
#   docker build --tag simple-security .
#
# The FastAPI example app, which compose.yaml serves:
#
#   docker build --target fastapi --tag simple-security-fastapi .
#
# What is run to build them is what `make` runs outside.

FROM rust:1.95-slim-bookworm AS tools
# No versions: Debian keeps only the newest of a release.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends make python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .

# What becomes the folder of the database: an image from nothing has no mkdir.
FROM tools AS folder
RUN mkdir --mode=0700 data

FROM tools AS built
RUN make program-static

FROM tools AS wheel
RUN make wheel

FROM python:3.13-slim-bookworm AS fastapi
COPY --from=wheel /build/target/wheels /wheels
COPY deploy/fastapi.txt /wheels/
# The wheel built above has no published hash: it comes from its folder, and the index is not asked for it.
RUN pip install --no-cache-dir --only-binary :all: --require-hashes --requirement /wheels/fastapi.txt \
    && pip install --no-cache-dir --no-deps --no-index /wheels/*.whl \
    && pip check
COPY --from=folder --chown=65532:65532 /build/data /data
COPY examples/fastapi_app.py /app/
WORKDIR /app
ENV FASTAPI_SIMPLE_SECURITY_DB_LOCATION=/data/sqlite.db PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/unsecured')"]
CMD ["uvicorn", "fastapi_app:app", "--host=0.0.0.0", "--port=8080"]

FROM scratch AS program
COPY --from=built /build/target/static/simple-security /
COPY --from=folder --chown=65532:65532 /build/data /data
ENV SIMPLE_SECURITY_LISTEN=0.0.0.0:8081 SIMPLE_SECURITY_DB_LOCATION=/data/keys.db
USER 65532:65532
VOLUME /data
EXPOSE 8081
HEALTHCHECK --interval=10s --timeout=3s CMD ["/simple-security", "health"]
ENTRYPOINT ["/simple-security"]
CMD ["serve"]

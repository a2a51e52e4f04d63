# docker build -t resnet18-lab .        (put the weights into weights/ first, or let the build fetch the official ones)
# docker run --rm -p 127.0.0.1:8000:8000 --read-only --tmpfs /tmp resnet18-lab
# For the same image again, name the base by its digest: --build-arg BASE=python:3.11-slim@sha256:...
# For its labels: --build-arg VERSION=0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" --build-arg CREATED="$(date -u +%FT%TZ)"
ARG BASE=python:3.11-slim

FROM ${BASE} AS workshop
WORKDIR /app
# What installs the packages comes first: an edit of the source fetches nothing again.
COPY pyproject.toml requirements.txt requirements-test.txt README.md LICENSE ./
COPY weights/resnet18-distilled.LICENSE.txt weights/
COPY resnet18_lab/__init__.py resnet18_lab/__main__.py resnet18_lab/_bootstrap.py resnet18_lab/
COPY resnet18_lab/base/__init__.py resnet18_lab/base/children.py resnet18_lab/base/
RUN python3 -m resnet18_lab setup
COPY deploy deploy
RUN sh deploy/bill_of_materials.sh /sbom.cdx.json
COPY . .
RUN sh deploy/build_artifacts.sh /home-of-artifacts

FROM ${BASE}
WORKDIR /app
ENV PIP_NO_CACHE_DIR=1
COPY pyproject.toml requirements.txt ./
COPY deploy/install_packages.sh deploy/runtime_requirements.py deploy/
RUN sh deploy/install_packages.sh /opt/runtime
RUN useradd --uid 10001 --no-create-home service
COPY README.md LICENSE ./
COPY deploy/install_runtime.sh deploy/health.py deploy/
COPY data/samples data/samples
COPY weights/resnet18-distilled.* weights/
COPY resnet18_lab resnet18_lab
RUN sh deploy/install_runtime.sh /opt/runtime
COPY --from=workshop /home-of-artifacts /home-of-artifacts
COPY --from=workshop /sbom.cdx.json /usr/share/doc/resnet18-lab/sbom.cdx.json
ENV PATH=/opt/runtime/bin:$PATH RESNET18_LAB_HOME=/home-of-artifacts RESNET18_LAB_OFFLINE=1 PYTHONDONTWRITEBYTECODE=1
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["python", "deploy/health.py"]
# Everybody who can reach the container's port can use it: publish it to the loopback or to a reverse proxy.
CMD ["resnet18-lab", "serve", "--host", "0.0.0.0"]
# Last, since they change with each build.
ARG VERSION=""
ARG REVISION=""
ARG CREATED=""
LABEL org.opencontainers.image.title="resnet18-lab" \
      org.opencontainers.image.description="Understand, run, convert, shrink and time torchvision's ResNet-18 on a CPU, offline, with numbers that hold" \
      org.opencontainers.image.licenses="BSD-3-Clause AND MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"

# docker build -t resnet18-lab .        (put the weights into weights/ first, or let the build fetch the official ones)
# docker run --rm -p 127.0.0.1:8000:8000 --read-only --tmpfs /tmp resnet18-lab
FROM python:3.11-slim AS workshop
WORKDIR /app
COPY . .
RUN sh deploy/build_artifacts.sh /home-of-artifacts

FROM python:3.11-slim
WORKDIR /app
COPY pyproject.toml requirements.txt README.md LICENSE ./
COPY deploy deploy
COPY resnet18_lab resnet18_lab
COPY data/samples data/samples
COPY weights/resnet18-distilled.* weights/
RUN sh deploy/install_runtime.sh /opt/runtime && useradd --uid 10001 --no-create-home service
COPY --from=workshop /home-of-artifacts /home-of-artifacts
ENV PATH=/opt/runtime/bin:$PATH RESNET18_LAB_HOME=/home-of-artifacts RESNET18_LAB_OFFLINE=1 PYTHONDONTWRITEBYTECODE=1
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["python", "deploy/health.py"]
# Everybody who can reach the container's port can use it: publish it to the loopback or to a reverse proxy.
CMD ["resnet18-lab", "serve", "--host", "0.0.0.0"]

# The page on a CPU; docs/deploy.md has the commands.

FROM python:3.11-slim AS build
RUN pip install --no-cache-dir "uv>=0.9"
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY colorflow colorflow
COPY weights weights
# PyTorch's build for the CPU: the one on PyPI brings CUDA, which takes 3.8 GB.
RUN python -m venv --without-pip /opt/colorflow \
    && uv pip install --no-cache --compile-bytecode --torch-backend cpu \
        --python /opt/colorflow/bin/python .

FROM python:3.11-slim AS page
COPY --from=build /opt/colorflow /opt/colorflow
# Names of files on contact sheets, beyond ASCII.
RUN apt-get update && apt-get install --yes --no-install-recommends fonts-dejavu-core \
    && rm -rf /var/lib/apt/lists/*
# The answers of the quiz go to the data folder; mount a volume there to keep them.
RUN useradd --create-home --uid 1000 colorflow && install -d -o colorflow /data
ENV PATH=/opt/colorflow/bin:$PATH XDG_DATA_HOME=/data
USER colorflow
WORKDIR /home/colorflow
EXPOSE 7860
HEALTHCHECK --start-period=60s --interval=30s --timeout=10s CMD ["python", "-c", \
    "from http.client import HTTPConnection as C; c = C('127.0.0.1', 7860, timeout=9); \
    c.request('GET', '/'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["colorflow", "app", "--host", "0.0.0.0"]

# The server and its model, nothing of training. docker build -t im2latex . && docker run -p 8000:8000 im2latex
FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-venv
RUN python3 -m venv /opt/im2latex && /opt/im2latex/bin/pip install --no-cache-dir uv
WORKDIR /source
COPY . .
RUN /opt/im2latex/bin/uv pip install --no-cache --python /opt/im2latex/bin/python --torch-backend cpu '.[serve]' \
    && /opt/im2latex/bin/uv pip uninstall --python /opt/im2latex/bin/python uv pip

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="im2latex" \
      org.opencontainers.image.description="A picture of a formula goes in, LaTeX comes out." \
      org.opencontainers.image.licenses="MIT"
RUN apt-get update && apt-get install -y --no-install-recommends python3 ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home im2latex
COPY --from=build /opt/im2latex /opt/im2latex
ENV PATH=/opt/im2latex/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
CMD ["im2latex", "serve", "--host", "0.0.0.0", "--port", "8000"]

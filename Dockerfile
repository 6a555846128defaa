# The server and its model, nothing of training: docker build -t im2latex . && docker run -p 8000:8000 im2latex
FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-venv
RUN python3 -m venv /opt/im2latex
ENV PATH=/opt/im2latex/bin:$PATH
# PyTorch comes first, from an index with CPU builds only; what it needs comes with the rest.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN pip install --no-cache-dir --no-deps --index-url "$TORCH_INDEX" torch \
    && cd /opt/im2latex/lib/python3*/site-packages/torch \
    && rm -r include test \
    && find bin -type f ! -name torch_shm_manager -delete
COPY . /source
RUN pip install --no-cache-dir '/source[serve]' && pip uninstall --yes pip

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="im2latex" \
      org.opencontainers.image.description="A picture of a formula goes in, LaTeX comes out." \
      org.opencontainers.image.licenses="MIT"
ENV PATH=/opt/im2latex/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
CMD ["im2latex", "serve", "--host", "0.0.0.0", "--port", "8000"]
RUN apt-get update && apt-get install -y --no-install-recommends python3 ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home im2latex
USER 10001
# Last, so that an engine which copies layers copies the large one once.
COPY --from=build /opt/im2latex /opt/im2latex

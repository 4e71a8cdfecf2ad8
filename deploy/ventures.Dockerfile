FROM python:3.13-slim
COPY ventures /source
RUN pip install --no-cache-dir /source && rm -r /source \
 && useradd --system --user-group --home-dir /var/lib/ventures ventures \
 && install -d -o ventures -g ventures -m 0700 /var/lib/ventures
USER ventures
ENV VENTURES_DATA=/var/lib/ventures PYTHONUNBUFFERED=1
EXPOSE 8400
CMD ["ventures", "serve"]

# All images: docker build --target millrace-notifier -t millrace-notifier:0.1.0 .
#
# Targets: millrace, millrace-event-store, millrace-log-indexer, millrace-log-shipper, millrace-login-insights,
# millrace-notifier, millrace-payments. The first build compiles everything once; cargo's caches stay between builds (BuildKit). For another
# architecture: docker buildx build --platform linux/arm64.

ARG RUST_IMAGE=rust:1.95-bookworm
# glibc, libgcc, CA certificates and no shell.
ARG BASE_IMAGE=gcr.io/distroless/cc-debian12:nonroot

FROM ${RUST_IMAGE} AS build
WORKDIR /millrace
# The profile of what is shipped, and what a deployment on AWS uses.
ARG PROFILE=dist
ARG FEATURES=aws
COPY . .
# One build for all programs: they share their dependencies. Nothing of the caches is in the image, so what is needed is
# copied out of them.
RUN --mount=type=cache,id=millrace-registry,target=/usr/local/cargo/registry \
    --mount=type=cache,id=millrace-target,target=/target \
    CARGO_TARGET_DIR=/target cargo build --locked --profile "${PROFILE}" --features "${FEATURES}" \
        --package millrace --package millrace-event-store --package millrace-log-indexer \
        --package millrace-log-shipper --package millrace-login-insights --package millrace-notifier \
        --package millrace-payments --bins \
    && mkdir /programs \
    && for program in millrace millrace-event-store millrace-log-indexer millrace-log-shipper millrace-login-insights \
        millrace-notifier millrace-payments; do \
        cp "/target/${PROFILE}/${program}" /programs/; \
    done

# What all images are, but for their program.
FROM ${BASE_IMAGE} AS base
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.vendor="Millrace" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
USER 65532:65532
# Nothing is written but to standard output: the root file system may be read-only.
WORKDIR /

FROM base AS millrace
LABEL org.opencontainers.image.title="millrace"
COPY --from=build /programs/millrace /usr/bin/millrace
EXPOSE 8080
ENV MILLRACE_LISTEN=:8080
HEALTHCHECK --interval=15s --timeout=6s --start-period=60s CMD ["/usr/bin/millrace", "serve", "--health-check"]
ENTRYPOINT ["/usr/bin/millrace"]
CMD ["serve"]

FROM base AS millrace-event-store
LABEL org.opencontainers.image.title="millrace-event-store"
COPY --from=build /programs/millrace-event-store /usr/bin/millrace-event-store
EXPOSE 9090
HEALTHCHECK --interval=15s --timeout=6s --start-period=60s CMD ["/usr/bin/millrace-event-store", "--health-check"]
ENTRYPOINT ["/usr/bin/millrace-event-store"]

FROM base AS millrace-log-indexer
LABEL org.opencontainers.image.title="millrace-log-indexer"
COPY --from=build /programs/millrace-log-indexer /usr/bin/millrace-log-indexer
EXPOSE 9090
HEALTHCHECK --interval=15s --timeout=6s --start-period=60s CMD ["/usr/bin/millrace-log-indexer", "--health-check"]
ENTRYPOINT ["/usr/bin/millrace-log-indexer"]

FROM base AS millrace-log-shipper
LABEL org.opencontainers.image.title="millrace-log-shipper"
COPY --from=build /programs/millrace-log-shipper /usr/bin/millrace-log-shipper
EXPOSE 9090
HEALTHCHECK --interval=15s --timeout=6s --start-period=60s CMD ["/usr/bin/millrace-log-shipper", "--health-check"]
ENTRYPOINT ["/usr/bin/millrace-log-shipper"]

FROM base AS millrace-login-insights
LABEL org.opencontainers.image.title="millrace-login-insights"
COPY --from=build /programs/millrace-login-insights /usr/bin/millrace-login-insights
EXPOSE 9090
HEALTHCHECK --interval=15s --timeout=6s --start-period=60s CMD ["/usr/bin/millrace-login-insights", "--health-check"]
ENTRYPOINT ["/usr/bin/millrace-login-insights"]

FROM base AS millrace-notifier
LABEL org.opencontainers.image.title="millrace-notifier"
COPY --from=build /programs/millrace-notifier /usr/bin/millrace-notifier
EXPOSE 9090
HEALTHCHECK --interval=15s --timeout=6s --start-period=60s CMD ["/usr/bin/millrace-notifier", "--health-check"]
ENTRYPOINT ["/usr/bin/millrace-notifier"]

FROM base AS millrace-payments
LABEL org.opencontainers.image.title="millrace-payments"
COPY --from=build /programs/millrace-payments /usr/bin/millrace-payments
EXPOSE 9090
HEALTHCHECK --interval=15s --timeout=6s --start-period=60s CMD ["/usr/bin/millrace-payments", "--health-check"]
ENTRYPOINT ["/usr/bin/millrace-payments"]

"""What the facade counts, in Prometheus' terms; labels are bounded by the routes there are."""

from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "borg_api_requests", "Requests answered.", ["method", "route", "status"], registry=registry
        )
        self.seconds = Histogram(
            "borg_api_request_duration_seconds",
            "Time from a request's arrival to the end of its answer.",
            ["method", "route"],
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
            registry=registry,
        )
        self.age = Gauge(
            "borg_api_mirror_age_seconds",
            "For how long what is shown may have been out of date; 0 while the watches are connected.",
            registry=registry,
        )
        self.objects = Gauge("borg_api_mirror_objects", "Objects of a kind that it shows.", ["kind"], registry=registry)
        self.downloaded = Counter(
            "borg_api_downloaded_bytes", "Bytes of files and folders of archives, handed out.", registry=registry
        )
        self._upstream = Counter(
            "borg_api_kubernetes_requests",
            "Requests to the API server, by HTTP status; lost: no answer came. Identity: own, or that of the caller.",
            ["identity", "method", "status"],
            registry=registry,
        )
        build = Gauge("borg_api_build_info", "Always 1; the version that runs.", ["version"], registry=registry)
        build.labels(version("borg-api")).set(1)

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(method, route).observe(seconds)

    def asked_as_itself(self, method: str, status: int | None) -> None:
        """Count a request to the API server that the facade made of its own."""
        self._upstream.labels("own", method, str(status or "lost")).inc()

    def asked_as_caller(self, method: str, status: int | None) -> None:
        """Count a request to the API server that it made with a caller's token."""
        self._upstream.labels("caller", method, str(status or "lost")).inc()

    def render(self) -> bytes:
        return generate_latest(self.registry)

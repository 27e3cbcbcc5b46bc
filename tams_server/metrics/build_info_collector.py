"""The metric that names the running versions: of this server, of the API and of Python."""

import platform
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector


class BuildInfoCollector(Collector):
    def __init__(self, software_version: str, api_version: str) -> None:
        self._values = [software_version, api_version, platform.python_version()]

    def collect(self) -> Iterator[Metric]:
        labels = ["version", "api_version", "python"]
        family = GaugeMetricFamily("tams_build_info", "Versions in use.", labels=labels)
        family.add_metric(self._values, 1)
        yield family

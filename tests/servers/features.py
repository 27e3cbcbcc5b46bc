"""Settings that switch on what this server does beyond the standard, for clients that must not notice it."""

from pathlib import Path

import yaml

FEATURES = ("standard", "all", "relaxed")
"""standard: as by default. all: every optional feature. relaxed: with validation level relaxed too."""

_PLENTY = "1000000000"
_ALL = {
    "TAMS_SOFT_DELETE_GRACE": "3600",
    "TAMS_AUTHORISATION": "classes",
    "TAMS_VERIFY_UPLOADS": "true",
    "TAMS_RETENTION_INTERVAL": "1",
    "TAMS_EMPTY_FLOW_RETENTION": "3600",
    "TAMS_RATE_LIMIT": "100000",
    "TAMS_RATE_LIMIT_PER_ADDRESS": "100000",
    "TAMS_CONCURRENT_REQUESTS": "1000",
    "TAMS_MAX_CONNECTIONS_PER_ADDRESS": "500",
    "TAMS_QUOTA_UPLOADS": _PLENTY,
    "TAMS_QUOTA_UPLOAD_BYTES": _PLENTY,
    "TAMS_QUOTA_ALLOCATIONS": _PLENTY,
    "TAMS_QUOTA_STORED_BYTES": _PLENTY,
    "TAMS_MAX_UPLOAD_BYTES": _PLENTY,
    "TAMS_AUDIT_LOG": "stdout",
    "TAMS_AUDIT_READS": "true",
    "TAMS_AUDIT_FAILURE": "refuse",
    "TAMS_LOG_JSON": "true",
    "TAMS_METRICS_TOKEN": "metrics",
}
"""Analytics, playback, the console, retention, metrics and the count of violations are on by default."""
_RULES = {"default_classes": [{"own_groups": True}], "embedded_backend_classes": ["all_read", "all_write"]}


def feature_settings(features: str, folder: Path) -> dict[str, str]:
    """TAMS_* variables for one of FEATURES. folder: exists, for files that the settings name."""
    if features == "standard":
        return {}
    rules = folder / "rules.yaml"
    rules.write_text(yaml.safe_dump(_RULES))
    level = {"TAMS_VALIDATION_LEVEL": "relaxed"} if features == "relaxed" else {}
    return {**_ALL, "TAMS_AUTHORISATION_RULES": str(rules), **level}

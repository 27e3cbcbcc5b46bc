"""Settings that switch on what this server does beyond the standard, for clients that must not notice it."""

import os
from pathlib import Path
from typing import Final

import yaml

FEATURES = ("standard", "all", "relaxed")
"""standard: as by default. all: every optional feature. relaxed: with validation level relaxed too."""
VARIABLE: Final = "TEST_FEATURES"
"""Environment variable with one of FEATURES, for servers that are started as processes of their own."""

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
    """TAMS_* variables for one of FEATURES. folder: for files that the settings name."""
    if features == "standard":
        return {}
    folder.mkdir(parents=True, exist_ok=True)
    rules = folder / "rules.yaml"
    rules.write_text(yaml.safe_dump(_RULES))
    level = {"TAMS_VALIDATION_LEVEL": "relaxed"} if features == "relaxed" else {}
    return {**_ALL, "TAMS_AUTHORISATION_RULES": str(rules), **level}


def has_access_rules() -> bool:
    """Whether the features of this test run include rules on classes, with which no URLs of playlists are signed."""
    return os.environ.get(VARIABLE, FEATURES[0]) != FEATURES[0]


def chosen_feature_settings(folder: Path) -> dict[str, str]:
    """As `feature_settings`, for what TEST_FEATURES or the option --features says. Raises ValueError."""
    features = os.environ.get(VARIABLE, FEATURES[0])
    if features not in FEATURES:
        raise ValueError(f"{VARIABLE} must be one of {', '.join(FEATURES)}, not {features!r}")
    return feature_settings(features, folder)

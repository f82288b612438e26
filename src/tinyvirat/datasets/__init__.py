"""From records to clips to batches: manifests, loading, the cache, pairs for super-resolution."""

from tinyvirat.datasets.manifest import (
    SPLITS,
    ClipRecord,
    Manifest,
    ManifestError,
    read_manifest,
    write_manifest,
)

__all__ = [
    "SPLITS",
    "ClipRecord",
    "Manifest",
    "ManifestError",
    "read_manifest",
    "write_manifest",
]

"""The flows: order, retries, reuse, artifacts."""

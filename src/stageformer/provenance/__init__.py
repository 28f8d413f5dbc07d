"""Where a result came from: code, environment, cost and fingerprint."""

"""Where snapshots come from: uploads, names below the data directory, other servers by URL."""

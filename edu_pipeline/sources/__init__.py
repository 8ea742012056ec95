"""From the publishers to frames: probing, downloading, the archive of releases, reading."""

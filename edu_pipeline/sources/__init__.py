"""From the publishers to frames: the catalogue of sources, downloading, the archive of releases, reading."""

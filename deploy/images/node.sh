#!/usr/bin/env bash
# Puts Node of the major version $1 into an image that has none: NodeSource's Debian packages, which bring the headers that
# the addons are built with. A base image that has Node keeps it.
set -euo pipefail
if command -v node >/dev/null; then exit 0; fi
apt-get update
apt-get install -y --no-install-recommends ca-certificates curl gnupg
curl -fsSL "https://deb.nodesource.com/setup_$1.x" | bash -
apt-get install -y --no-install-recommends nodejs
rm -rf /var/lib/apt/lists/*

#!/usr/bin/env bash
# Ask the dispatcher's new revision whether it reaches the ledger: `smoke_dispatcher.sh URL`, the service's own.
set -euo pipefail
staged=https://next---${1#https://}

for path in health ready; do
    curl --fail --silent --show-error --max-time 30 --retry 5 --retry-delay 2 --retry-all-errors "$staged/$path"
done

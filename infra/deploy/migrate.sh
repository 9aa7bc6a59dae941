#!/usr/bin/env bash
# Bring the ledger to the newest revision, and wait for it: `migrate.sh JOB`. The dispatcher's image runs it.
#
# What runs now goes on running on the new tables: migrations only ever add.
set -euo pipefail
job=$1

gcloud run jobs update "$job" --region "$REGION" --image "$(<delivery/dispatcher.image)"
gcloud run jobs execute "$job" --region "$REGION" --wait

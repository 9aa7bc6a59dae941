#!/usr/bin/env bash
# Start a new revision that nobody is sent to: `stage.sh IMAGE SERVICE`. It is at the address with the tag `next`.
#
# Fails where it does not come up. The revision is named by Cloud Run, and its name kept in delivery/IMAGE.revision: one
# that we named would be in the service's template, and the next `terraform apply` would try to make it again.
set -euo pipefail
image=$(<"delivery/$1.image") service=$2

gcloud run services update "$service" --region "$REGION" --image "$image" --no-traffic --tag next
gcloud run services describe "$service" --region "$REGION" --format 'value(status.latestCreatedRevisionName)' |
    tee "delivery/$1.revision"

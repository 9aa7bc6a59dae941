# Start a new revision that nobody is sent to: `stage.sh IMAGE SERVICE`. It is at the address with the tag `next`.
#
# Fails where it does not come up.
set -euo pipefail
image=$(<"delivery/$1.image") service=$2

gcloud run services update "$service" --region "$REGION" --image "$image" \
    --no-traffic --tag next --revision-suffix "$COMMIT-${BUILD_ID%%-*}"

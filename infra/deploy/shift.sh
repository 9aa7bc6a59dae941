#!/usr/bin/env bash
# Let the new revision serve a tenth, look at what it answers, then let it serve all: `shift.sh IMAGE SERVICE`.
#
# Whatever goes wrong on the way, traffic is afterwards where it was before.
set -euo pipefail
revision=$(<"delivery/$1.revision") service=$2
watch_s=180 every_s=20

traffic_to() {
    gcloud run services update-traffic "$service" --region "$REGION" --to-revisions "$1"
}

# An answer of 5xx is our fault, but 503: that is how both services slow down who calls, one in twenty at the most.
judge() {
    awk '/^503/ {busy++} /^5/ && !/^503/ {broken++}
         END {printf "%d answers, %d of them broken, %d busy\n", NR, broken, busy; exit broken > 0 || busy * 20 > NR}'
}

before=$(gcloud run services describe "$service" --region "$REGION" --flatten 'status.traffic[]' \
    --format 'csv[no-heading](status.traffic.revisionName,status.traffic.percent)' |
    awk -F, '$2 > 0 {print $1 "=" $2}' | paste -sd,)
if [ -z "$before" ]; then
    echo "$service serves from no revision, so there is none to go back to" >&2
    exit 1
fi

since=$(date --utc +%FT%TZ)
trap 'echo "back to $before" >&2; traffic_to "$before"' EXIT
traffic_to "$revision=10"
for ((waited = 0; waited < watch_s; waited += every_s)); do
    sleep "$every_s"
    gcloud logging read "logName:\"run.googleapis.com%2Frequests\" AND resource.labels.revision_name=\"$revision\"
        AND timestamp>=\"$since\"" --limit 10000 --format 'value(httpRequest.status)' | judge
done
traffic_to "$revision=100"
trap - EXIT

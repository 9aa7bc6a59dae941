#!/usr/bin/env bash
# Ask the worker's new revision whether it reaches the ledger: `smoke_worker.sh URL`, the service's own.
#
# It lets nobody in but the queue, so a task of QUEUE asks. One that was answered well is gone; one that was not is
# tried again for ever, so that after a minute we take it back.
set -euo pipefail
url=$1 staged=https://next---${1#https://}
task=(smoke-"$BUILD_ID" --queue "$QUEUE" --location "$REGION")

gcloud tasks create-http-task "${task[@]}" --method GET --url "$staged/ready" \
    --oidc-service-account-email "$CALLER" --oidc-token-audience "$url"
for _ in {1..20}; do
    sleep 3
    answer=$(gcloud tasks describe "${task[@]}" 2>&1) && continue
    if [[ $answer == *NOT_FOUND* ]]; then
        echo "$staged is ready"
        exit
    fi
    echo "$answer" >&2
done
gcloud tasks delete "${task[@]}" --quiet
echo "$staged has not become ready: its log tells why" >&2
exit 1

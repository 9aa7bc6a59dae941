#!/usr/bin/env bash
# Build a service's image and hold it to what Cloud Run wants: `infra/check_image.sh dispatcher`, or worker.
#
# By Docker; or, where there is no engine, by the script at $IMAGECHECK, which builds and runs an image by buildah.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$1

# good enough to start with; the address is nobody's
settings=(
    DATABASE_URL=sqlite:////tmp/ledger.db IMAGE_STORE=file:///tmp/pictures
    LINK_SIGNING_KEY=an-image-that-is-only-being-looked-at
    OIDC_CALLERS=nobody@example.com TASK_CALLER=nobody@example.com
    DISPATCHER_URL=http://127.0.0.1:9 WORKER_URL=http://127.0.0.1:9
    'TASK_QUEUES=projects/p/locations/l/queues/colorway-{priority}'
)

# what is looked at from inside, by the user the image runs as
# shellcheck disable=SC2016 # all of it is for the container's shell
inside='set -eu
du -shx /opt/venv /app
writable=$(find / -xdev \( -path /proc -o -path /sys -o -path /dev \) -prune -o ! -type l -writable -print 2>/dev/null || true)
for path in $writable; do
    case $path in /tmp|/var/tmp|/run/lock) ;; *) echo "may be written: $path"; exit 1 ;; esac
done
for module in $FOREIGN; do
    if python -c "import $module" 2>/dev/null; then echo "holds $module"; exit 1; fi
done
'
case $target in
    dispatcher)
        settings+=('FOREIGN=palette_worker PIL numpy')
        inside+='python -m alembic upgrade head
                 python -m dispatcher.accounts create first' ;;
    worker)
        settings+=('FOREIGN=dispatcher grpc typer')
        inside+='python -c "import PIL.Image; PIL.Image.radial_gradient(\"L\").convert(\"RGB\").save(\"/tmp/in.png\")"
                 python -m palette_worker.rendering /tmp/in.png /tmp/out.png --colors "#2e3440,#88c0d0,#eceff4"' ;;
    *) echo "there is no image $target" >&2; exit 2 ;;
esac

by_imagecheck() {
    local -a env=()
    for setting in "${settings[@]}"; do env+=(--env "$setting"); done
    python3 "$IMAGECHECK" --context . --target "$target" "${env[@]}" -- sh -c "$inside"
    python3 "$IMAGECHECK" --context . --target "$target" "${env[@]}" --health /health
}

by_docker() {
    local image=colorway-$target:check
    docker build --target "$target" --tag "$image" .
    docker image inspect --format 'size: {{.Size}} bytes, user: {{.Config.User}}' "$image"
    local -a run=(docker run --read-only --tmpfs /tmp --env PORT=8080)
    for setting in "${settings[@]}"; do run+=(--env "$setting"); done
    "${run[@]}" --rm "$image" sh -c "$inside"
    container=$("${run[@]}" --detach --publish 127.0.0.1::8080 "$image")
    trap 'docker rm --force "$container" >/dev/null' EXIT
    curl --fail --silent --show-error --retry 20 --retry-delay 1 --retry-all-errors \
        "http://$(docker port "$container" 8080)/health"
    docker stop -t 10 "$container" >/dev/null # SIGTERM, and SIGKILL as Cloud Run would
    [ "$(docker inspect --format '{{.State.ExitCode}}' "$container")" -eq 0 ]
}

if [ -n "${IMAGECHECK:-}" ]; then
    by_imagecheck
elif docker info >/dev/null 2>&1; then
    by_docker
else
    echo "NOTHING HERE CAN BUILD IMAGES: start Docker, or let IMAGECHECK be the path of a script that needs none" >&2
    exit 1
fi
echo "the image $target is as it should be"

#!/bin/sh
# Build both images and push them; what follows finds each by its digest in delivery/TARGET.image.
#
# IMAGES is the repository, COMMIT_SHA the tag that people find them by.
set -eu

docker buildx create --name delivery --driver docker-container --use
mkdir -p delivery
for target in worker dispatcher; do
    cache=type=registry,ref=$IMAGES/build-cache:$target
    docker buildx build . --target "$target" --push --provenance=false \
        --tag "$IMAGES/$target:$COMMIT_SHA" --label "org.opencontainers.image.revision=$COMMIT_SHA" \
        --metadata-file "delivery/$target.json" \
        --cache-from "$cache" --cache-to "$cache,mode=max,image-manifest=true,ignore-error=true"
    digest=$(grep -o '"containerimage.digest": *"sha256:[0-9a-f]*"' "delivery/$target.json" | grep -o 'sha256:[0-9a-f]*')
    echo "$IMAGES/$target@$digest" | tee "delivery/$target.image"
done

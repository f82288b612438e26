#!/usr/bin/env bash
# What goes beyond the paper, on equal terms: distillation, a loss on features, other networks. Twelve
# classes of UCF-101, the rows of recipes/ucf101_12_beyond.
#
#     benchmarks/ucf101_12_beyond.sh OUT SIDE ROW... [-- tinyvirat train options]
#
# OUT is what benchmarks/ucf101_12.sh made with the same SIDE (14 or 28): the run on high resolution
# teaches, and its super-resolution network is used where a row has the same. ROW is bicubic_distilled,
# prog_dvsr_distilled, prog_dvsr_features, prog_dvsr_narrow, prog_dvsr_factored, prog_dvsr_slim, any_size,
# x3d, x3d_distilled, light or light_distilled; for what they are measured by, prog_dvsr_published has as many
# channels as the paper's network. Run again, it goes on where it was stopped. SEED=1 in the environment:
# everything but the teacher from another seed than 0, beside what benchmarks/ucf101_12.sh made with it.
set -euo pipefail
out=$1 side=$2 seed=${SEED:-0}
shift 2
suffix="" seeded=()
[ "$seed" = 0 ] || suffix="-seed$seed" seeded=(--set "seed=$seed")
rows=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    rows+=("$1")
    shift
done
[ $# -eq 0 ] || shift
data=(--data "$out/data/manifest.jsonl" --cache "$out/cache")
case $side in
14) low=() scale=() growing=() ;;
28)
    low=(--set clips.size=28)
    scale=(--set super_resolution.scale=4)
    growing=(--set "phase1.steps=[120, 180]")
    ;;
*)
    echo "SIDE is $side; it must be 14 or 28" >&2
    exit 2
    ;;
esac
here="$out/side$side"

# train RECIPE RUN [options]: a run that is not done yet.
train() {
    local recipe=$1 run=$2
    shift 2
    [ -f "$run/model/model.json" ] || tinyvirat train "$recipe" "${data[@]}" --out "$run" \
        "${low[@]}" "${seeded[@]}" "$@"
}

beyond=ucf101_12_beyond
for row in "${rows[@]}"; do
    recipe=$beyond/$row more=() network=("${scale[@]}")
    case $row in
    *_distilled) more+=(--teacher "$out/high_resolution/high") ;;
    esac
    case $row in
    bicubic_distilled | x3d | x3d_distilled | light | light_distilled) ;;
    prog_dvsr_distilled) more+=("${network[@]}" --sr-from "$here/sr_progressive$suffix") ;;
    prog_dvsr_features)
        train $beyond/sr_features "$here/sr_features$suffix" "${network[@]}" "${growing[@]}" "$@"
        recipe=ucf101_12/prog_dvsr
        more+=("${network[@]}" --sr-from "$here/sr_features$suffix")
        more+=(--set name=ucf12-prog-dvsr-features)
        ;;
    prog_dvsr_factored)
        train $beyond/sr_factored "$here/sr_factored$suffix" "${network[@]}" "${growing[@]}" "$@"
        more+=("${network[@]}" --sr-from "$here/sr_factored$suffix")
        ;;
    prog_dvsr_slim)
        network+=(--set super_resolution.last_channels=8)
        train $beyond/sr_factored "$here/sr_slim$suffix" "${network[@]}" "${growing[@]}" \
            --set name=ucf12-sr-slim "$@"
        recipe=$beyond/prog_dvsr_factored
        more+=("${network[@]}" --sr-from "$here/sr_slim$suffix" --set name=ucf12-prog-dvsr-slim)
        ;;
    prog_dvsr_narrow)
        network+=(--set super_resolution.last_channels=8)
        train ucf101_12/sr_progressive "$here/sr_narrow$suffix" "${network[@]}" "${growing[@]}" \
            --set name=ucf12-sr-narrow "$@"
        recipe=ucf101_12/prog_dvsr
        more+=("${network[@]}" --sr-from "$here/sr_narrow$suffix" --set name=ucf12-prog-dvsr-narrow)
        ;;
    prog_dvsr_published)
        network+=(--set super_resolution.channels=32 --set super_resolution.growth=32)
        train ucf101_12/sr_progressive "$here/sr_published$suffix" "${network[@]}" "${growing[@]}" \
            --set name=ucf12-sr-published "$@"
        recipe=ucf101_12/prog_dvsr
        more+=("${network[@]}" --sr-from "$here/sr_published$suffix")
        more+=(--set name=ucf12-prog-dvsr-published)
        ;;
    any_size)
        train $beyond/sr_any_size "$here/sr_any_size$suffix" "$@"
        more+=(--sr-from "$here/sr_any_size$suffix")
        ;;
    *)
        echo "ROW $row is not one of those at the head of this file" >&2
        exit 2
        ;;
    esac
    run="$here/$row$suffix"
    train "$recipe" "$run" "${more[@]}" "$@"
    [ -f "$run/evaluation/evaluation.json" ] || tinyvirat evaluate "$run" "${data[@]}" \
        --out "$run/evaluation"
done

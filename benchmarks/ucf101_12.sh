#!/usr/bin/env bash
# Does super-resolution help recognition at 14 x 14 and 28 x 28? Twelve classes of UCF-101, after the
# protocol of Table IV.
#
#     benchmarks/ucf101_12.sh CLIPS OUT SIDE [tinyvirat train options]
#
# CLIPS as in ucf101_12.py; SIDE is 14 or 28. OUT gets the manifest, seven runs and their evaluations;
# the run on high resolution serves both sides. Run again, it goes on where it was stopped. SEED=1 in
# the environment: everything from another seed than 0, in folders that end in -seed1. ROWS="high bicubic":
# these rows only.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
clips=$1 out=$2 side=$3 seed=${SEED:-0}
shift 3
suffix="" seeded=()
[ "$seed" = 0 ] || suffix="-seed$seed" seeded=(--set "seed=$seed")
[ -f "$out/data/manifest.jsonl" ] || python "$here/ucf101_12.py" "$clips" "$out/data"
data=(--data "$out/data/manifest.jsonl" --cache "$out/cache")
case $side in
14) low=() network=() growing=() ;;
28)
    low=(--set clips.size=28)
    network=(--set super_resolution.scale=4)
    growing=(--set "phase1.steps=[120, 180]")
    ;;
*)
    echo "SIDE is $side; it must be 14 or 28" >&2
    exit 2
    ;;
esac
rows="high bicubic sr_end_to_end end_to_end sr_progressive prog_dvsr prog_dvsr_attention"
for row in ${ROWS:-$rows}; do
    run="$out/side$side/$row$suffix"
    more=("${low[@]}")
    case $row in
    high) run="$out/high_resolution/high$suffix" more=() ;;
    bicubic) ;;
    sr_end_to_end) more+=("${network[@]}") ;;
    sr_progressive) more+=("${network[@]}" "${growing[@]}") ;;
    end_to_end) more+=("${network[@]}" --sr-from "$out/side$side/sr_end_to_end$suffix") ;;
    *) more+=("${network[@]}" --sr-from "$out/side$side/sr_progressive$suffix") ;;
    esac
    [ -f "$run/model/model.json" ] || tinyvirat train "ucf101_12/$row" "${data[@]}" --out "$run" \
        "${more[@]}" "${seeded[@]}" "$@"
    if [ "$row" = high ]; then
        at_low="$run/evaluation_at_$side"
        [ -f "$at_low/evaluation.json" ] || tinyvirat evaluate "$run" "${data[@]}" \
            --input-size "$side" --out "$at_low"
    fi
    [[ $row == sr_* ]] && continue
    [ -f "$run/evaluation/evaluation.json" ] || tinyvirat evaluate "$run" "${data[@]}" \
        --out "$run/evaluation"
done

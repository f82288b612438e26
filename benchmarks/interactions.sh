#!/usr/bin/env bash
# Trains the recogniser of interactions that ships: both ways from set to set, by which its recipe was
# chosen and its thresholds are set, and then on all clips.
#
#     benchmarks/interactions.sh UT_INTERACTION UCF101 OUT [tinyvirat train options]
#
# The clips as in interactions.py. Every run then teaches a light one. Run again, it goes
# on where it was stopped. Then these make the models that ship:
#
#     python benchmarks/ship_interactions.py OUT src/tinyvirat/shipped/interactions [ALARMS]
#     python benchmarks/ship_interactions.py OUT src/tinyvirat/shipped/interactions-light [ALARMS] --kind light
#
# ALARMS, for the card: what `tinyvirat recognize vtest.avi --model THE_MODEL --out ALARMS` wrote.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
interactions=$1 world=$2 out=$3
shift 3
[ -f "$out/data/both.jsonl" ] || python "$here/interactions.py" "$interactions" "$world" "$out/data"
for kind in bicubic light; do
    for way in set1_to_set2 set2_to_set1 both; do
        run="$out/$way/$kind" teacher=()
        [ "$kind" = bicubic ] || teacher=(--teacher "$out/$way/bicubic")
        [ -f "$run/model/model.json" ] || tinyvirat train "interactions/$kind" \
            --data "$out/data/$way.jsonl" --out "$run" --cache "$out/cache" "${teacher[@]}" "$@"
        [ "$way" = both ] || [ -f "$run/evaluation/evaluation.json" ] || tinyvirat evaluate "$run" \
            --data "$out/data/$way.jsonl" --out "$run/evaluation" --cache "$out/cache" --no-quality
    done
done

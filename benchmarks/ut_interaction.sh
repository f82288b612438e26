#!/usr/bin/env bash
# Does super-resolution help recognition at 28 x 28? UT-Interaction, six classes, set to set.
#
#     benchmarks/ut_interaction.sh CLIPS OUT [tinyvirat train options]
#
# CLIPS as in ut_interaction.py; OUT gets the data, ten runs and their evaluations. Run again, it
# goes on where it was stopped.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
clips=$1 out=$2
shift 2
[ -f "$out/data/set2_to_set1.jsonl" ] || python "$here/ut_interaction.py" "$clips" "$out/data"
for way in set1_to_set2 set2_to_set1; do
    for row in high bicubic super_resolution prog_dvsr prog_dvsr_attention; do
        run="$out/$way/$row"
        from=()
        [[ $row == prog_dvsr* ]] && from=(--sr-from "$out/$way/super_resolution")
        [ -f "$run/model/model.json" ] || tinyvirat train "ut_interaction/$row" \
            --data "$out/data/$way.jsonl" --out "$run" --cache "$out/cache" "${from[@]}" "$@"
        [ "$row" = super_resolution ] && continue
        [ -f "$run/evaluation/evaluation.json" ] || tinyvirat evaluate "$run" \
            --data "$out/data/$way.jsonl" --out "$run/evaluation" --cache "$out/cache"
    done
done

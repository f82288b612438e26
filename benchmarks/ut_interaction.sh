#!/usr/bin/env bash
# Does super-resolution help recognition at 28 x 28? UT-Interaction, six classes, set to set.
#
#     benchmarks/ut_interaction.sh CLIPS OUT [tinyvirat train options]
#
# CLIPS as in ut_interaction.py; OUT gets the data, fourteen runs and their evaluations. Run again, it
# goes on where it was stopped.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
clips=$1 out=$2
shift 2
[ -f "$out/data/set2_to_set1.jsonl" ] || python "$here/ut_interaction.py" "$clips" "$out/data"

# evaluate RUN WAY FOLDER [options]: an evaluation that is not done yet.
evaluate() {
    local run=$1 way=$2 folder=$3
    shift 3
    [ -f "$run/$folder/evaluation.json" ] || tinyvirat evaluate "$run" --data "$out/data/$way.jsonl" \
        --out "$run/$folder" --cache "$out/cache" "$@"
}

for way in set1_to_set2 set2_to_set1; do
    for row in high bicubic super_resolution prog_dvsr prog_dvsr_attention sr_end_to_end end_to_end; do
        run="$out/$way/$row"
        from=()
        [[ $row == prog_dvsr* ]] && from=(--sr-from "$out/$way/super_resolution")
        [[ $row == end_to_end ]] && from=(--sr-from "$out/$way/sr_end_to_end")
        [ -f "$run/model/model.json" ] || tinyvirat train "ut_interaction/$row" \
            --data "$out/data/$way.jsonl" --out "$run" --cache "$out/cache" "${from[@]}" "$@"
        [[ $row == super_resolution || $row == sr_* ]] && continue
        evaluate "$run" "$way" evaluation
    done
    evaluate "$out/$way/high" "$way" evaluation_at_28 --input-size 28
done

#!/usr/bin/env bash
# Does super-resolution help recognition at 28 x 28? UT-Interaction, six classes, set to set.
#
#     [WAYS="..."] [SEED=1] benchmarks/ut_interaction.sh CLIPS OUT [tinyvirat train options]
#
# CLIPS as in ut_interaction.py; OUT gets the data, seven runs for each way and their evaluations. Run
# again, it goes on where it was stopped. WAYS: set1_to_set2, set2_to_set1 or both, which is the default.
# SEED: everything from another seed than 0, in folders that end in -seed1.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
clips=$1 out=$2 seed=${SEED:-0}
shift 2
options=("$@") suffix=""
[ "$seed" = 0 ] || suffix="-seed$seed" options+=(--set "seed=$seed")
[ -f "$out/data/set2_to_set1.jsonl" ] || python "$here/ut_interaction.py" "$clips" "$out/data"

# evaluate RUN WAY FOLDER [options]: an evaluation that is not done yet.
evaluate() {
    local run=$1 way=$2 folder=$3
    shift 3
    [ -f "$run/$folder/evaluation.json" ] || tinyvirat evaluate "$run" --data "$out/data/$way.jsonl" \
        --out "$run/$folder" --cache "$out/cache" "$@"
}

for way in ${WAYS:-set1_to_set2 set2_to_set1}; do
    for row in high bicubic super_resolution prog_dvsr prog_dvsr_attention sr_end_to_end end_to_end; do
        run="$out/$way/$row$suffix"
        from=()
        [[ $row == prog_dvsr* ]] && from=(--sr-from "$out/$way/super_resolution$suffix")
        [[ $row == end_to_end ]] && from=(--sr-from "$out/$way/sr_end_to_end$suffix")
        [ -f "$run/model/model.json" ] || tinyvirat train "ut_interaction/$row" \
            --data "$out/data/$way.jsonl" --out "$run" --cache "$out/cache" "${from[@]}" \
            "${options[@]}"
        [[ $row == super_resolution || $row == sr_* ]] && continue
        evaluate "$run" "$way" evaluation
    done
    evaluate "$out/$way/high$suffix" "$way" evaluation_at_28 --input-size 28
done

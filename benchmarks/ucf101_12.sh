#!/usr/bin/env bash
# Does super-resolution help recognition at 14 x 14 and 28 x 28? Twelve classes of UCF-101, after the
# protocol of Table IV, and what goes beyond the paper on equal terms.
#
#     [ROWS="..."] [SEED=1] benchmarks/ucf101_12.sh CLIPS OUT SIDE [tinyvirat train options]
#
# CLIPS as in ucf101_12.py; SIDE is 14 or 28. OUT gets the manifest, a run a row and its evaluation; the
# run on high resolution serves both sides. Run again, it goes on where it was stopped. SEED: everything
# but the teacher from another seed than 0, in folders that end in -seed1.
#
# ROWS, in this order unless said otherwise:
#
#     high bicubic end_to_end prog_dvsr prog_dvsr_attention
#
# Beyond the paper: bicubic_distilled, prog_dvsr_distilled, prog_dvsr_features, prog_dvsr_factored,
# prog_dvsr_fast, prog_dvsr_narrow, prog_dvsr_slim, any_size, x3d, x3d_distilled, light, light_distilled.
# And for what these are measured by: prog_dvsr_published, with as many channels as the paper's network;
# prog_dvsr_long, with three times the iterations of super-resolution; prog_dvsr_attention_long, with
# three times those of joint training, at rates that fall; fresh, I3D from nothing, as X3D is.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
clips=$1 out=$2 side=$3 seed=${SEED:-0}
shift 3
options=("$@") suffix=""
[ "$seed" = 0 ] || suffix="-seed$seed" options+=(--set "seed=$seed")
[ -f "$out/data/manifest.jsonl" ] || python "$here/ucf101_12.py" "$clips" "$out/data"
data=(--data "$out/data/manifest.jsonl" --cache "$out/cache")
case $side in
14) low=() scale=() growing=() longer=(--set "phase1.steps=[240, 300, 360]") ;;
28)
    low=(--set clips.size=28)
    scale=(--set super_resolution.scale=4)
    growing=(--set "phase1.steps=[120, 180]") longer=(--set "phase1.steps=[360, 540]")
    ;;
*)
    echo "SIDE is $side; it must be 14 or 28" >&2
    exit 2
    ;;
esac
published=ucf101_12 beyond=ucf101_12_beyond

# train RECIPE RUN [options]: a run that is not done yet.
train() {
    local recipe=$1 run=$2
    shift 2
    [ -f "$run/model/model.json" ] || tinyvirat train "$recipe" "${data[@]}" --out "$run" "$@" \
        "${options[@]}"
}

# evaluate RUN FOLDER [options]: an evaluation that is not done yet.
evaluate() {
    local run=$1 folder=$2
    shift 2
    [ -f "$run/$folder/evaluation.json" ] || tinyvirat evaluate "$run" "${data[@]}" "$@" \
        --out "$run/$folder"
}

# enlarger RECIPE NAME [options of the network]: the super-resolution network that a row takes over; with
# options, both get names of their own.
enlarger() {
    local recipe=$1 name=$2 run="$out/side$side/$2$suffix" named=()
    shift 2
    more+=("${scale[@]}" --sr-from "$run" "$@")
    [ $# -eq 0 ] || named=(--set "name=ucf12-${name//_/-}") more+=(--set "name=ucf12-${row//_/-}")
    train "$recipe" "$run" "${low[@]}" "${scale[@]}" "${steps[@]}" "$@" "${named[@]}"
}

settled=(--set phase2.steps=240 --set phase2.optimizer.decay=late
    --set phase2.classifier_optimizer.decay=late)
nothing=(--set weights=null --set phase3.optimizer.lr=0.001 --set phase3.head_lr=1
    --set phase3.freeze_norm=false)
half=(--set super_resolution.last_channels=8)
wide=(--set super_resolution.channels=32 --set super_resolution.growth=32)
twenty=(--set super_resolution.channels=20 --set super_resolution.growth=20)
for row in ${ROWS:-high bicubic end_to_end prog_dvsr prog_dvsr_attention}; do
    run="$out/side$side/$row$suffix" recipe=$beyond/$row more=("${low[@]}") steps=("${growing[@]}")
    case $row in
    high)
        run="$out/high_resolution/high$suffix"
        train $published/high "$run"
        evaluate "$run" "evaluation_at_$side" --input-size "$side"
        evaluate "$run" evaluation
        continue
        ;;
    bicubic) recipe=$published/$row ;;
    fresh)
        recipe=$published/bicubic
        more+=("${nothing[@]}" --set name=ucf12-fresh)
        ;;
    bicubic_distilled | x3d | x3d_distilled | light | light_distilled) ;;
    end_to_end)
        recipe=$published/$row steps=()
        enlarger $published/sr_end_to_end sr_end_to_end
        ;;
    prog_dvsr | prog_dvsr_attention)
        recipe=$published/$row
        enlarger $published/sr_progressive sr_progressive
        ;;
    prog_dvsr_published)
        recipe=$published/prog_dvsr
        enlarger $published/sr_progressive sr_published "${wide[@]}"
        ;;
    prog_dvsr_long)
        recipe=$published/prog_dvsr steps=("${longer[@]}" --set name=ucf12-sr-long)
        enlarger $published/sr_progressive sr_long
        more+=(--set name=ucf12-prog-dvsr-long)
        ;;
    prog_dvsr_attention_long)
        recipe=$published/prog_dvsr_attention
        enlarger $published/sr_progressive sr_progressive
        more+=("${settled[@]}" --set name=ucf12-prog-dvsr-attention-long)
        ;;
    prog_dvsr_narrow)
        recipe=$published/prog_dvsr
        enlarger $published/sr_progressive sr_narrow "${half[@]}"
        ;;
    prog_dvsr_slim)
        recipe=$beyond/prog_dvsr_factored
        enlarger $beyond/sr_factored sr_slim "${half[@]}"
        ;;
    prog_dvsr_fast)
        recipe=$beyond/prog_dvsr_factored
        enlarger $beyond/sr_factored sr_fast "${twenty[@]}"
        ;;
    prog_dvsr_factored) enlarger $beyond/sr_factored sr_factored ;;
    prog_dvsr_features)
        recipe=$published/prog_dvsr more+=(--set name=ucf12-prog-dvsr-features)
        enlarger $beyond/sr_features sr_features
        ;;
    prog_dvsr_distilled) enlarger $published/sr_progressive sr_progressive ;;
    any_size)
        train $beyond/sr_any_size "$out/side$side/sr_any_size$suffix" "${low[@]}"
        more+=(--sr-from "$out/side$side/sr_any_size$suffix")
        ;;
    *)
        echo "ROWS has $row, which is not one of those at the head of this file" >&2
        exit 2
        ;;
    esac
    [[ $row != *_distilled ]] || more+=(--teacher "$out/high_resolution/high")
    train "$recipe" "$run" "${more[@]}"
    evaluate "$run" evaluation
done

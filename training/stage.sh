#!/usr/bin/env bash
# One more stage of the default model, on a core: make its formulas and pictures, then train (MODEL_CARD.md).
# From the root of the repository, after `make setup`; the same command goes on where it stopped:
#   training/stage.sh SEED STEPS LIST OTHER MODULES [flags of training/run_experiment.py]
#     SEED     which formulas are made and which part of LIST is shown; the run is runs/stage_SEED
#     STEPS    a multiple of 50, as checkpoints are
#     LIST     formulas with their sources, as train.tsv.xz
#     OTHER    a folder with images.zip and labels.tsv: pictures of another renderer
#     MODULES  the node_modules that hold katex and mathjax
# Two cores: taskset -c 0 training/stage.sh 233 ... & taskset -c 1 training/stage.sh 234 ...
set -euo pipefail
[ $# -ge 5 ] || { sed -n '2,/^set/{/^#/p}' "$0" >&2; exit 2; }
seed=$1 steps=$2 list=$3 other=$4 modules=$5
shift 5
((steps % 50 == 0)) || { echo "stage.sh: STEPS is $steps, wanted a multiple of 50: the last checkpoint is that of such a step" >&2; exit 2; }

data=data/stage_$seed
sixth=$((seed % 6)) half=$((seed % 2))
web=('wiki/enwiki/*' 'books/*')
sets=()
run() { .venv/bin/python "training/$1.py" "${@:2}"; }
pack() {
    run prepare_data --workers 1 --out "$data/$1" "${@:2}"
    sets+=("$data/$1")
}
take() { pack "$1" --formulas "$list" --only "$2" --pack.min_count 10 "${@:3}"; }
invent() {
    if [ ! -e "$data/$1.txt" ]; then
        run "$2" --formulas "$list" --seed "$seed" --out "$data/$1.part" "${@:3}"
        mv "$data/$1.part" "$data/$1.txt"    # only when it is whole
    fi
    pack "$1" --formulas "$data/$1.txt"
}

mkdir -p "$data"
invent new new_formulas --only 'hepth/*/display' --count 70000
invent arrays new_formulas --only 'hepth/*/array' --arrays true --count 3000
invent layout layout_formulas --only 'hepth/*/display' --most 330 --alike 3000 --grids 2000 --cases 1000 --nested 1000
invent rare rare_formulas --only 'hepth/*'
take display 'hepth/*/display' --skip $((half * 14000)) --limit 12000
take multi 'hepth/*/multi'
take own 'hepth/im2latex_train3000/*'    # of IM2LATEX-100K's own training set; shown twice
take looks 'hepth/*/display' --skip $((sixth * 4700)) --limit 4700 --look_share 0
take looks_web "${web[half]}" --skip $((sixth * 4000)) --limit 4000 --look_share 0
[ -e "$data/pages/labels.tsv" ] ||
    run web_pictures --formulas "$list" --only 'wiki/enwiki/*' --skip $((sixth * 1500)) --limit 1500 \
        --modules "$modules" --out "$data/pages"
pack web --pictures "$data/pages/images.zip" --labels "$data/pages/labels.tsv"
pack other --pictures "$other/images.zip" --labels "$other/labels.tsv"

# One thread a run, and memory in huge pages that is kept: docs/experiments.md, "Speed on two cores with AMX".
export OMP_NUM_THREADS=1 THP_MEM_ALLOC_ENABLE=1 ONEDNN_PRIMITIVE_CACHE_CAPACITY=2000
LD_PRELOAD=$(/sbin/ldconfig -p | awk '/libtcmalloc_minimal\.so\.4/ { print $NF; exit }')
export LD_PRELOAD
also=$(IFS=, && echo "${sets[*]:1}")
run run_experiment --config training/stage.yml --name "stage_$seed" --seed "$seed" --data.seed "$seed" \
    --data.path "${sets[0]}" --data.also "[$also,$data/own]" \
    --optimizer.total_steps "$steps" --trainer.max_steps "$steps" --resume auto "$@"

"""Train a formula model: fit, test, say where the checkpoint is. With no flags: on the small set in the repository.

python training/run_experiment.py --data.path data/packed --trainer.max_epochs 10
python training/run_experiment.py --model cnn_lstm --model.units 256    (another model; its sizes after its name)
python training/run_experiment.py --resume runs/NAME/last.ckpt          (goes on exactly where it stopped)

A running training takes signals, after the step it is at: SIGINT (Ctrl-C) saves, validates and goes on; SIGTERM saves,
validates and stops; SIGUSR1 stops; the same signal again before it acts takes it back. A run that was stopped ends with
exit code 143.
"""

import logging
import os
import sys
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as lightning
import torch
from jsonargparse import ArgumentParser
from pytorch_lightning.callbacks import Callback, LearningRateMonitor, ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger, Logger, WandbLogger
from torch.distributed import is_torchelastic_launched

import training  # noqa: F401  (so --help says what each flag is for)
from im2latex.callbacks import Curves, SamplePredictions, Throughput
from im2latex.data.augment import Augment, AugmentConfig
from im2latex.data.im2latex100k import DataConfig, Im2Latex100K
from im2latex.errors import Im2LatexError
from im2latex.images import ImageSpec
from im2latex.lit_model import LitModel
from im2latex.models import ModelConfig, ResNetTransformerConfig, check_sizes, describe_model, find_kind
from im2latex.optimizers import OptimizerConfig
from im2latex.precision import fast_precision
from im2latex.signals import Signals
from training.averaging import Averaging
from training.command import STOPPED
from training.run_folder import check_checkpoint, find_resume, mark_finished, mark_running

log = logging.getLogger("run_experiment")


@dataclass(frozen=True)
class TrainerConfig:
    """How long, on what, and how often to look; handed to Lightning's Trainer."""

    max_epochs: int = 30
    max_steps: int = -1
    max_time: str | None = None
    """DD:HH:MM:SS; the run then stops as if finished."""
    accelerator: str = "auto"
    devices: int | str = "auto"
    num_nodes: int = 1
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"
    """auto: bf16 where the processor multiplies it faster than float32 (a GPU, or a CPU with AMX or AVX-512 for
    bf16)."""
    accumulate_grad_batches: int = 1
    gradient_clip_val: float = 1.0
    val_every_n_steps: int | None = None
    """None: after each epoch."""
    limit_val_batches: int | float = 1.0
    limit_test_batches: int | float = 1.0
    checkpoint_every_n_steps: int = 200
    """last.ckpt is written anew so often."""
    checkpoint_every_n_epochs: int | None = None
    """Also keep a checkpoint of every so many epochs, epoch-NNN.ckpt."""
    log_every_n_steps: int = 10
    compile: bool = False


@dataclass(frozen=True)
class Experiment:
    """The whole configuration of a run; saved in its checkpoints and in hparams.yaml beside its curves."""

    model: ModelConfig = field(default_factory=ResNetTransformerConfig)
    """resnet_transformer, cnn_lstm, cnn_gru, i2l_strips or i2l_nopool; its sizes are flags like --model.d_model."""
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    data: DataConfig = field(default_factory=DataConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    spec: ImageSpec = field(default_factory=ImageSpec)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    seed: int = 0
    out: str = "runs"
    name: str | None = None
    """Folder of the run under `out`; None: date and time."""
    wandb: Literal["off", "offline", "online"] = "off"
    init: str | None = None
    """Checkpoint or bundle to take weights and tokens from, with new tokens after these; all else begins anew."""
    frozen: list[str] = field(default_factory=list)
    """Parts of the model that stay as they are, as [trunk]: a run from --init then takes less time a step."""
    resume: str | None = None
    """Checkpoint to go on from: weights, optimizer, schedule and place in the data; auto: the last of this name, if
    there is one, so that the same command begins and goes on."""


def run(experiment: Experiment) -> dict[str, float] | None:
    """Fit and test; returns the test scores of the best checkpoint, None if a signal stopped the fit."""
    folder = Path(experiment.out) / (experiment.name or datetime.now().strftime("%Y-%m-%d_%H-%M-%S"))
    resume = find_resume(folder, experiment.resume)
    lightning.seed_everything(experiment.seed, verbose=False)
    known = LitModel.vocabulary_of(experiment.init or resume)
    data = Im2Latex100K(experiment.data, experiment.spec, Augment(experiment.augment), known)
    module = _build_module(experiment, data)
    if resume:
        check_checkpoint(resume, module, experiment.optimizer.name)
    mark_running(folder)
    best = ModelCheckpoint(folder, "best", monitor="val/edit_score", mode="max", enable_version_counter=False)
    signals = Signals(folder / "last.ckpt")
    trainer = _build_trainer(experiment, folder, best, signals)
    trainer.fit(module, data, ckpt_path=resume, weights_only=True)
    chosen = _find_best(trainer, best, folder)
    scores: dict[str, float] | None = None
    if not signals.has_stopped:
        scores = {**trainer.test(module, data, chosen, weights_only=True, verbose=trainer.is_global_zero)[0]}
    if trainer.is_global_zero:
        print(f"checkpoint: {chosen}")
        if scores is not None:
            mark_finished(folder, scores)
    return scores


def describe(experiment: Experiment) -> dict[str, Any]:
    """The whole configuration as plain values, with the name of the model."""
    return {**asdict(experiment), "model": describe_model(experiment.model)}


def _find_best(trainer: lightning.Trainer, best: ModelCheckpoint, folder: Path) -> str:
    """The best checkpoint, or the last where nothing was validated; saved now if the run ended before its first."""
    chosen = best.best_model_path or str(folder / "last.ckpt")
    if not trainer.strategy.broadcast(Path(chosen).is_file()):
        trainer.save_checkpoint(chosen)
    return chosen


def _build_module(experiment: Experiment, data: Im2Latex100K) -> LitModel:
    check_sizes(experiment.model)
    vocab = data.tokenizer.vocab
    module = LitModel(experiment.model, experiment.optimizer, vocab, experiment.spec, experiment.seed)
    module.hparams["experiment"] = describe(experiment)
    if experiment.init:
        module.take_weights(experiment.init)
    else:
        module.expect(data.counts())
    module.freeze_parts(experiment.frozen)
    if experiment.trainer.compile:
        module.teacher_forced_loss = torch.compile(module.teacher_forced_loss)  # type: ignore[method-assign]
    return module


def _build_callbacks(experiment: Experiment, folder: Path) -> list[Callback]:
    config = experiment.trainer
    callbacks: list[Callback] = [
        Averaging(decay=experiment.optimizer.ema_decay),
        ModelCheckpoint(
            folder, "last", every_n_train_steps=config.checkpoint_every_n_steps, enable_version_counter=False
        ),
        LearningRateMonitor("step"),
        Throughput(),
        Curves(folder),
        SamplePredictions(folder),
    ]
    if config.checkpoint_every_n_epochs is not None:
        callbacks.append(
            ModelCheckpoint(
                folder,
                "epoch-{epoch:03d}",
                auto_insert_metric_name=False,
                every_n_epochs=config.checkpoint_every_n_epochs,
                save_on_train_epoch_end=True,
                save_top_k=-1,
                enable_version_counter=False,
            )
        )
    return callbacks


def _build_trainer(experiment: Experiment, folder: Path, best: ModelCheckpoint, signals: Signals) -> lightning.Trainer:
    config = experiment.trainer
    return lightning.Trainer(
        max_epochs=config.max_epochs,
        max_steps=config.max_steps,
        max_time=config.max_time,
        accelerator=config.accelerator,
        devices=config.devices,
        num_nodes=config.num_nodes,
        precision=fast_precision() if config.precision == "auto" else config.precision,  # type: ignore[arg-type]
        accumulate_grad_batches=config.accumulate_grad_batches,
        gradient_clip_val=config.gradient_clip_val,
        val_check_interval=config.val_every_n_steps,
        check_val_every_n_epoch=None if config.val_every_n_steps else 1,
        limit_val_batches=config.limit_val_batches,
        limit_test_batches=config.limit_test_batches,
        log_every_n_steps=config.log_every_n_steps,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,  # the bucket sampler knows the ranks itself
        callbacks=[*_build_callbacks(experiment, folder), best, signals],
        logger=_build_loggers(experiment, folder),
    )


def _build_loggers(experiment: Experiment, folder: Path) -> list[Logger]:
    earlier = len(list(folder.glob("logs*")))  # of a run that is resumed: Lightning would delete its curves
    loggers: list[Logger] = [CSVLogger(folder, name="", version=f"logs_{earlier + 1}" if earlier else "logs")]
    mode = (os.environ.get("WANDB_MODE") or experiment.wandb) if experiment.wandb != "off" else "off"
    if mode == "online" and not (os.environ.get("WANDB_API_KEY") or (Path.home() / ".netrc").exists()):
        log.warning("no W&B key found: logging offline; `wandb login`, then `wandb sync` sends it later")
        mode = "offline"
    if mode in ("online", "offline"):
        folder.mkdir(parents=True, exist_ok=True)
        loggers.append(WandbLogger(name=folder.name, save_dir=folder, project="im2latex", offline=mode == "offline"))
    for logger in loggers:
        logger.log_hyperparams(describe(experiment))
    return loggers


def parse(arguments: list[str]) -> Experiment:
    """The experiment that flags (or --config FILE.yaml) describe; unknown flags stop the run."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--config", action="config")
    parser.add_class_arguments(Experiment, as_positional=False)
    values: Any = parser.instantiate(parser.parse_args(name_classes(arguments)))
    return Experiment(**{name: values[name] for name in Experiment.__dataclass_fields__})


def name_classes(arguments: list[str]) -> list[str]:
    """The arguments with the class of each model in place of its short name: jsonargparse chooses by class."""
    named = list(arguments)
    for place, argument in enumerate(arguments):
        if argument == "--model" and place + 1 < len(arguments):
            named[place + 1] = find_kind(arguments[place + 1]).__name__
        elif argument.startswith("--model="):
            named[place] = f"--model={find_kind(argument.removeprefix('--model=')).__name__}"
    return named


def main() -> None:
    """The command line: an error of ours ends it with its message, not a traceback; 143 if a signal stopped the run."""
    try:
        scores = run(parse(sys.argv[1:]))
    except Im2LatexError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    is_watched = is_torchelastic_launched() or os.environ.get("LOCAL_RANK", "0") != "0"
    if scores is None and not is_watched:  # who watches would take the code for a failure, and begin again
        sys.exit(STOPPED)


if __name__ == "__main__":
    main()

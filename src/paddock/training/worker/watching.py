"""Owns what a training tells while it runs, and that it stops when it is asked to, or when its loss is no number."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from paddock.jobs.ended import Voice, peak_memory_bytes
from paddock.jobs.folder import JobFolder
from paddock.training.exclusions import REWARDS
from paddock.training.spec import TrainSpec
from paddock.training.worker.checkpoints import seal
from paddock.training.worker.outcome import DryReport
from paddock.training.worker.ranks import agreed, meet, number

# Figures of the loss by which its beginning is judged, and so many beyond that it has diverged.
_FIRST = 3
_GROWN = 10
# What trainers of preferences and rewards tell beside the loss.
_MORE = {
    "rewards/margins": "reward_margin",
    "rewards/accuracies": "reward_accuracy",
    "rewards/chosen": "reward_chosen",
    "rewards/rejected": "reward_rejected",
    "kl": "kl",
    "nearest_share": "nearest_share",
    "reward": "reward",
    "reward_std": "reward_spread",
    "frac_reward_zero_std": "same_share",
    "completions/mean_length": "answer_tokens",
    "completions/clipped_ratio": "cut_share",
    **{f"rewards/{name}/mean": f"reward_{name}" for name in REWARDS},
}


class Watcher(TrainerCallback):
    """Tells of steps, looks at held-out rows and checkpoints; `fault` is why it broke off by itself, or ""."""

    def __init__(self, job: JobFolder, report: Voice, spec: TrainSpec) -> None:
        self._job = job
        self._report = report
        self._spec = spec
        self._last = (time.monotonic(), 0)
        self._losses: list[float] = []
        self.fault = ""
        self.was_stopped = self.was_cancelled = False

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Tell where it begins."""
        self._report.tell("begins", steps=state.max_steps, step=state.global_step, epochs=state.num_train_epochs)
        self._last = (time.monotonic(), int(state.num_input_tokens_seen))

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> Any:
        """Stop where that is wished."""
        if wish := agreed(self._job.wish(), args.device):
            self.was_stopped, self.was_cancelled = wish == "save", wish == "cancel"
            control.should_save = wish == "save" and not isinstance(self._report, DryReport)
            control.should_training_stop = True
        return control

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **more: Any) -> Any:
        """Tell figures; stop where they are no numbers."""
        said = logs or {}
        if "eval_loss" in said:
            if not math.isfinite(said["eval_loss"]):
                return self._break_off(
                    control,
                    f"The loss of held-out rows is no number any more at step {state.global_step}. The last checkpoint "
                    "is as it was. Resume with a lower learning_rate, or look at these rows.",
                )
            self._report.tell("eval", step=state.global_step, loss=_number(said["eval_loss"]), **_more(said, "eval_"))
        if "loss" not in said:
            return control
        if not math.isfinite(said["loss"]) or not math.isfinite(said.get("grad_norm") or 0.0):
            return self._break_off(
                control,
                f"The loss is no number any more after step {state.global_step}. The last checkpoint is as it was. "
                "Resume with a lower learning_rate, or look at the rows.",
            )
        if self._has_diverged(said["loss"]):
            return self._break_off(
                control,
                f"The loss has been more than three times what it began with since step {state.global_step - _GROWN}. "
                "The last checkpoint before is as it was. Begin again with a lower learning_rate.",
            )
        now, tokens = time.monotonic(), int(state.num_input_tokens_seen)
        before, counted = self._last
        self._last = (now, tokens)
        self._report.tell(
            "step",
            step=state.global_step,
            loss=_number(said["loss"]),
            learning_rate=said.get("learning_rate"),
            gradient=_number(said.get("grad_norm")),
            epoch=round(state.epoch or 0.0, 4),
            tokens=tokens,
            tokens_per_s=round((tokens - counted) / (now - before), 1) if now > before else None,
            memory_bytes=peak_memory_bytes(),
            **_more(said),
        )
        return control

    def _break_off(self, control: Any, fault: str) -> Any:
        """Stop, and keep nothing of what went wrong."""
        self.fault = fault
        control.should_training_stop, control.should_save, control.should_evaluate = True, False, False
        return control

    def _has_diverged(self, loss: float) -> bool:
        """Whether the newest losses are all far beyond the first ones; that of grpo is about 0, and says nothing."""
        self._losses.append(loss)
        if self._spec.method == "grpo" or len(self._losses) <= _FIRST + _GROWN:
            return False
        return min(self._losses[-_GROWN:]) > 3 * max(self._losses[:_FIRST])

    def on_save(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Seal a checkpoint, and tell of it."""
        # Each writes a file of its own into it.
        meet()
        if number():
            return
        checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        size_bytes = seal(checkpoint)
        self._report.tell("checkpoint", step=state.global_step, path=str(checkpoint), size_bytes=size_bytes)


def _more(said: dict[str, Any], prefix: str = "") -> dict[str, float | None]:
    return {name: _number(said[prefix + theirs]) for theirs, name in _MORE.items() if prefix + theirs in said}


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(float(value), 6)

"""Owns how a job of any kind is told; refuses to know what it does."""

from __future__ import annotations

from typing import Any

from paddock.store.jobs import Job


def told_job(job: Job, kind: str, **more: Any) -> dict[str, Any]:
    """What is told of every job, and `more` of one of its kind."""
    return {
        "object": kind,
        "id": job.id,
        "name": job.name,
        "state": job.state,
        "spec": dict(job.spec),
        **more,
        "figures": dict(job.figures),
        "error": dict(job.error) if job.error else None,
        "created_s": job.created_s,
        "started_s": job.started_s,
        "ended_s": job.ended_s,
    }

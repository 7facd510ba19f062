"""Evaluation as a service: an HTTP front over the ledger, Dagster's queue and the stored results.

from eval_service import EvalClient

client = EvalClient("http://eval-server:8000")
job = client.evaluate(model="vllm", tasks=["mmmu_val"], model_args={"pretrained": "/runs/exp7/step-4000"})
result = client.wait_for_job(job["job_id"])
"""

from eval_service.client import AsyncEvalClient, EvalClient, EvalServiceError, JobTimeout

__all__ = ["AsyncEvalClient", "EvalClient", "EvalServiceError", "JobTimeout"]

"""Orchestration only: Prefect flows that run the stages of dvc.yaml. The library below knows nothing of them."""

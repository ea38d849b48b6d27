"""What Prefect's UI shows of a run: its plan, the graph of dvc.yaml, progress, who waits for a board, results and reports."""

"""Stages in the graph of a flow run that no command was started for: they are task runs too, and have the edges of dvc.yaml."""

from collections.abc import Sequence
from uuid import UUID, uuid4

from prefect.client.schemas.objects import State, StateDetails, StateType, TaskRun, TaskRunResult
from prefect.context import FlowRunContext
from prefect.utilities.engine import emit_task_run_state_change_event


def add_node(address: str, upstream: Sequence[UUID], state_type: StateType, state_name: str, why: str) -> UUID:
    """Add a stage to the graph of the present flow run, in its final state, behind those task runs; returns its own id.

    It is told to the server as Prefect's engine tells it of task runs: as an event, which holds nobody up.
    """
    context = FlowRunContext.get()
    run_id = uuid4()
    flow_run_id = context.flow_run.id if context and context.flow_run else None
    moment = State[None](type=state_type).timestamp
    details = StateDetails(task_run_id=run_id, flow_run_id=flow_run_id)
    state = State[None](type=state_type, name=state_name, message=why, timestamp=moment, state_details=details)
    task_run = TaskRun.model_validate(
        {
            "id": run_id,
            "name": address,
            "flow_run_id": flow_run_id,
            "task_key": "stage",
            "dynamic_key": str(run_id),  # a run that is retried has the stage once more
            "task_inputs": {"wait_for": [TaskRunResult(id=one) for one in upstream]},
            "expected_start_time": moment,
            "start_time": moment,
            "end_time": moment,
            "state_id": state.id,
            "state_type": state_type,
            "state_name": state_name,
            "state": state,
        }
    )
    emit_task_run_state_change_event(task_run, None, state)
    return run_id

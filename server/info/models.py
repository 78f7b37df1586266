"""What is served."""

from fastapi import APIRouter, Request

from model.exit_policy import POLICIES, describe_policy
from server.http.schemas import Model, Models, Policy
from server.service import service_of

router = APIRouter(tags=["service"])


@router.get("/v1/models")
async def models(request: Request) -> Models:
    """The networks and exit policies that clients can ask for."""
    return Models(
        models=[
            Model(
                variant=config.name,
                height=config.height,
                width=config.width,
                burst_rows=config.BURST_ROWS,
                bursts_per_frame=config.bursts_per_frame,
                weights=served.digest,
                calibrated=served.certified and describe_policy(served.certified),
            )
            for served in service_of(request).models.values()
            for config in (served.runtime.config,)
        ],
        policies=[
            Policy(
                name=name, parameters={key: value for key, value in describe_policy(kind()).items() if key != "name"}
            )
            for name, kind in POLICIES.items()
        ],
    )

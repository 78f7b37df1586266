"""What is served."""

from fastapi import APIRouter

from model.exit_policy import POLICIES, describe_policy
from server.info.schemas import Model, Models, Policy
from server.networks import Networks


def router(networks: Networks) -> APIRouter:
    """`GET /v1/models`."""
    routes = APIRouter(tags=["service"])

    @routes.get("/v1/models")
    async def models() -> Models:
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
                for served in networks.values()
                for config in (served.runtime.config,)
            ],
            policies=[
                Policy(
                    name=name,
                    parameters={key: value for key, value in describe_policy(kind()).items() if key != "name"},
                )
                for name, kind in POLICIES.items()
            ],
        )

    return routes

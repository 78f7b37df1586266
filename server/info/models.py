"""The networks and policies that are served."""

from fastapi import APIRouter

from model.exit_policy import POLICIES, WHOLE_PICTURE_POLICY, default_policy, describe_kind, describe_policy
from server.info.schemas import Model, Models, PolicyKind
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
                    stream_policy=default_policy(served.certified).name,
                    picture_policy=WHOLE_PICTURE_POLICY.name,
                )
                for served in networks.values()
                for config in (served.runtime.config,)
            ],
            policies=[PolicyKind.model_validate(describe_kind(kind)) for kind in POLICIES.values()],
        )

    return routes

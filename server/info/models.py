"""The networks and policies that are served."""

from collections.abc import Callable

from fastapi import APIRouter

from model.exit_policy import (
    POLICIES,
    WHOLE_PICTURE_POLICY,
    CalibratedPolicy,
    default_policy,
    describe_kind,
    describe_policy,
)
from server.audits import Watch
from server.info.schemas import CertificateWatch, Model, Models, PolicyKind
from server.networks import Networks


def router(networks: Networks, watch_of: Callable[[str], Watch | None]) -> APIRouter:
    """`GET /v1/models`.

    Args:
        networks: the served networks.
        watch_of: returns the state of the watch over a certificate; None where it is not watched.
    """
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
                    watch=_watch_of(served.certified, watch_of),
                    stream_policy=default_policy(served.certified).name,
                    picture_policy=WHOLE_PICTURE_POLICY.name,
                )
                for served in networks.values()
                for config in (served.runtime.config,)
            ],
            policies=[PolicyKind.model_validate(describe_kind(kind)) for kind in POLICIES.values()],
        )

    return routes


def _watch_of(certified: CalibratedPolicy | None, watch_of: Callable[[str], Watch | None]) -> CertificateWatch | None:
    watch = watch_of(certified.certificate) if certified else None
    if watch is None:
        return None
    totals = watch.totals
    return CertificateWatch(
        agreed=totals.agreed,
        lost=totals.lost,
        unsent=totals.unsent,
        interrupted=totals.interrupted,
        alpha=watch.alpha,
        log10_evidence=watch.log10_evidence,
        risk_upper=watch.risk_upper,
        alarm=watch.alarmed,
    )

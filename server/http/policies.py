"""Exit policies in HTTP requests."""

import json
from collections.abc import Mapping
from typing import Any

from model.exit_policy import Policy, PolicyError, PublishedPolicy, parse_policy
from server.errors import ServiceError
from server.networks import ServedNetwork


def policy_from(wanted: str | None, parameters: Mapping[str, Any], served: ServedNetwork, unnamed: Policy) -> Policy:
    """Makes the policy that a request asks for.

    Args:
        wanted: name or JSON object of the policy; None where the request names none.
        parameters: parameters given beside the policy, by name; None for each that is not given. Without a policy they
            are parameters of `published`.
        served: the network.
        unnamed: the policy of a request without policy and parameters.

    Raises:
        ServiceError: `bad_policy`.
    """
    given = {key: value for key, value in parameters.items() if value is not None}
    if wanted is None and not given:
        return unnamed
    try:
        wanted = PublishedPolicy.name if wanted is None else wanted
        described = json.loads(wanted) if wanted.lstrip().startswith("{") else {"name": wanted}
        return parse_policy(described | given, served.certified)
    except PolicyError as error:
        raise ServiceError("bad_policy", str(error)) from error
    except (ValueError, RecursionError) as error:
        raise ServiceError("bad_policy", f"the policy is not a JSON object ({error})") from error

"""Exit policies as HTTP requests name them."""

import json
from collections.abc import Mapping
from typing import Any

from model.exit_policy import Policy, PolicyError, PublishedPolicy, parse_policy
from server.errors import ServiceError
from server.networks import ServedNetwork


def policy_from(wanted: str | None, parameters: Mapping[str, Any], served: ServedNetwork, unnamed: Policy) -> Policy:
    """A policy for a network from its name or JSON object, and parameters beside it.

    Args:
        wanted: name or JSON object; None where the request names none.
        parameters: by name; None for one that is not given. Without a policy they are those of `published`.
        served: the network.
        unnamed: the policy of a request that says nothing of policies.

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

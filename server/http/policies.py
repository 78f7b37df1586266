"""Exit policies as HTTP requests name them."""

import json
from collections.abc import Mapping
from typing import Any

from model.exit_policy import Policy, PolicyError, parse_policy
from server.errors import ServiceError
from server.networks import ServedNetwork


def policy_from(wanted: str, parameters: Mapping[str, Any], served: ServedNetwork) -> Policy:
    """A policy for a network from its name or JSON object, and parameters beside it (None: not given).

    Raises:
        ServiceError: `bad_policy`.
    """
    given = {key: value for key, value in parameters.items() if value is not None}
    try:
        described = json.loads(wanted) if wanted.lstrip().startswith("{") else {"name": wanted}
        return parse_policy(described | given, served.certified)
    except PolicyError as error:
        raise ServiceError("bad_policy", str(error)) from error
    except (ValueError, RecursionError) as error:
        raise ServiceError("bad_policy", f"the policy is not a JSON object ({error})") from error

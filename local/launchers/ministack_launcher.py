"""Starts ministack stricter than it is.

- It answers only the gateway.
- Each function signs with a key that names its own role, so that the gateway can hold it to that role's policies.
- A state's data is 256 KiB at most, and an account runs so many functions at once and no more ("Quotas" of Step Functions and
  of Lambda).

And more patient: an expression that a busy machine has no time for has not failed.
"""

import json
import os
import threading

import guard
from ministack import app
from ministack.core import lambda_runtime
from ministack.services import iam, lambda_svc, stepfunctions

# Of a state's input or output ("Quotas related to state machine executions").
STATE_BYTES = 256 * 1024
CONCURRENCY = int(os.environ["KOZA_LAMBDA_CONCURRENCY"])


def credentials_of_its_role(config):
    """The gateway reads who calls in the access key; a role's ARN holds characters that a credential scope may not."""
    role = config.get("Role", "").split(":")[-1].replace("/", "+")
    return {"AWS_ACCESS_KEY_ID": f"FUNCTION.{role}", "AWS_SECRET_ACCESS_KEY": "local", "AWS_SESSION_TOKEN": "local"}


lambda_runtime.execution_credentials = credentials_of_its_role
lambda_svc.execution_credentials = credentials_of_its_role


def within_limit(state, what, data):
    if len(json.dumps(data, ensure_ascii=False).encode()) > STATE_BYTES:
        raise stepfunctions._ExecutionError(
            "States.DataLimitExceeded",
            f"The {what} of a {state} state is larger than the maximum of {STATE_BYTES} bytes",
        )


def limited(state, execute):
    def run(definition, raw_input, *rest):
        within_limit(state, "input", raw_input)
        output, following = execute(definition, raw_input, *rest)
        within_limit(state, "output", output)
        return output, following

    return run


for state in ["pass", "task", "choice", "wait", "parallel", "map"]:
    name = f"_execute_{state}"
    setattr(stepfunctions, name, limited(state.capitalize(), getattr(stepfunctions, name)))

# ministack gives an expression one second by the wall clock.
jsonata = stepfunctions.jsonata.Jsonata
compiled = jsonata.jsonata
jsonata.jsonata = staticmethod(lambda expression, timeout=None: compiled(expression))

running = threading.BoundedSemaphore(CONCURRENCY)
execute_function = lambda_svc._execute_function_provided_warm


def within_concurrency(*arguments):
    if not running.acquire(blocking=False):
        return lambda_svc._throttle_response(
            reason_code="ConcurrentInvocationLimitExceeded", msg="Rate Exceeded: concurrent executions of the account"
        )
    try:
        return execute_function(*arguments)
    finally:
        running.release()


lambda_svc._execute_function_provided_warm = within_concurrency


def role(account, name):
    """A role with everything that a policy evaluation reads of it."""
    found = iam._roles.get_scoped(account, None, name)
    if found is None:
        return None

    def document(arn):
        policy = iam._policies.get_scoped(account, None, arn) or iam._aws_managed_policies.get(arn)
        return policy["Versions"][policy["DefaultVersionId"]]["Document"] if policy else None

    boundary = (found.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn")
    inline = (found.get("InlinePolicies") or {}).values()
    return {
        "arn": found["Arn"],
        "id": found["RoleId"],
        "trust": found["AssumeRolePolicyDocument"],
        "policies": [*inline, *filter(None, map(document, found.get("AttachedPolicies", [])))],
        "boundary": document(boundary) if boundary else None,
    }


app.app = guard.asgi(app.app, {"/_koza/role": role})

if __name__ == "__main__":
    app.main()

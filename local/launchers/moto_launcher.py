"""Starts moto for the gateway: it answers nobody else.

One small, shared set of AWS managed policies (moto's own full set costs 1 s and 33 MB for every account), the operations account in
the organization, and the `Paths` of accounts. Arguments: port, operations account id.
"""

import sys

import guard
from moto.iam import models as iam
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.organizations import models as organizations

POLICIES = {
    "AdministratorAccess": ("", [{"Effect": "Allow", "Action": "*", "Resource": "*"}]),
    "ReadOnlyAccess": ("", [{"Effect": "Allow", "Action": ["*:Get*", "*:List*", "*:Describe*"], "Resource": "*"}]),
    "AWSLambdaBasicExecutionRole": ("service-role/", [{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}]),
    "AmazonS3FullAccess": ("", [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]),
    "AmazonSageMakerFullAccess": ("", [{"Effect": "Allow", "Action": "sagemaker:*", "Resource": "*"}]),
}


def managed_policies(backend):
    return [
        iam.AWSManagedPolicy.from_data(
            name,
            backend.account_id,
            backend.region_name,
            {
                "Arn": f"arn:aws:iam::aws:policy/{path}{name}",
                "Path": f"/{path}",
                "CreateDate": "2015-02-06T18:40:00+00:00",
                "DefaultVersionId": "v1",
                "UpdateDate": "2015-02-06T18:40:00+00:00",
                "Document": {"Version": "2012-10-17", "Statement": statements},
            },
        )
        for name, (path, statements) in POLICIES.items()
    ]


iam.IAMBackend._init_aws_policies = managed_policies

create_organization = organizations.OrganizationsBackend.create_organization


def with_operations_account(backend, region, **kwargs):
    answer = create_organization(backend, region, **kwargs)
    backend.create_account(AccountName="operations", Email="operations@example.com")
    account = backend.accounts[-1]
    made_up, account.id = account.id, sys.argv[2]
    organizations.organizations_backends.master_accounts[account.id] = (
        organizations.organizations_backends.master_accounts.pop(made_up)
    )
    return answer


organizations.OrganizationsBackend.create_organization = with_operations_account

describe_account = organizations.FakeAccount.describe


def path(account):
    """Organization, root, every unit on the way, account: each with a slash after it."""
    backend = organizations.organizations_backends[account.master_account_id]["aws"]
    parents = {unit.id: unit.parent_id for unit in backend.ou if unit.id.startswith("ou-")}
    steps, step = [], account.parent_id
    while step in parents:
        steps.append(step)
        step = parents[step]
    return "/".join([account.organization_id, backend.org.root_id, *reversed(steps), account.id, ""])


def with_paths(account):
    return {**describe_account(account), "Paths": [path(account)]}


organizations.FakeAccount.describe = with_paths


def role(account, name):
    """A role with everything that a policy evaluation reads of it."""
    backend = iam.iam_backends[account]["global"]
    found = next((role for role in backend.roles.values() if role.name == name), None)
    if found is None:
        return None

    def document(arn):
        policy = backend.managed_policies.get(arn)
        return next((v.document for v in policy.versions if v.is_default), None) if policy else None

    boundary = found.permissions_boundary_arn
    return {
        "arn": found.arn,
        "id": found.id,
        "trust": found.assume_role_policy_document,
        "policies": [*found.policies.values(), *filter(None, map(document, found.managed_policies))],
        "boundary": document(boundary) if boundary else None,
    }


def account(id):
    """Where an account is, and the service control policies at each level from the account up to the root."""
    backends = organizations.organizations_backends
    management, partition = backends.master_accounts.get(id, (id, "aws"))
    backend = backends[management][partition]
    found = next(account for account in backend.accounts if account.id == id)
    targets = {target.id: target for target in [*backend.ou, found]}
    levels, target = [], found
    while target is not None:
        policies = [policy for policy in target.attached_policies if policy.type == "SERVICE_CONTROL_POLICY"]
        levels.append([policy.content for policy in policies])
        target = targets.get(getattr(target, "parent_id", None)) if target.id != backend.org.root_id else None
    return {"path": path(found).removesuffix(f"{id}/"), "levels": levels}


dispatch = DomainDispatcherApplication.__call__
QUESTIONS = {"/_koza/role": role, "/_koza/account": account}
DomainDispatcherApplication.__call__ = lambda self, environ, start_response: guard.wsgi(
    lambda environ, start_response: dispatch(self, environ, start_response), QUESTIONS
)(environ, start_response)

if __name__ == "__main__":
    from moto.server import main

    main(["-H", "127.0.0.1", "-p", sys.argv[1]])

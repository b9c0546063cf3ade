"""Starts moto for the gateway: it answers nobody else.

One small, shared set of AWS managed policies (moto's own full set costs 1 s and 33 MB for every account), the operations account in
the organization, and the `Paths` of accounts. Arguments: port, operations account id.
"""

import json
import re
import sys

import guard
from moto.iam import models as iam
from moto.identitystore import models as identitystore
from moto.logs import models as logs
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.organizations import models as organizations
from moto.s3 import models as s3
from moto.ssoadmin import models as ssoadmin

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


def world(names, own):
    """What there is, by names and never by ids or times, so that two worlds can be compared. `names`: of all accounts, by id;
    `own`: the ids of those that this process has."""
    names = json.loads(names)
    said, ids = {}, {}
    for management, backend in ((id, backends["aws"]) for id, backends in organizations.organizations_backends.items()):
        if backend.org is not None:
            said |= organization_world(backend) | identity_center_world(management, names)
            ids |= {unit.id: unit.name for unit in backend.ou} | {backend.org.id: "organization"}
    for id in json.loads(own):
        said |= {f"{names[id]}: {key}": value for key, value in account_world(id).items()}
    # What ids are left are in documents and ARNs.
    text = json.dumps(said)
    for id, name in {**names, **ids}.items():
        text = text.replace(id, f"<{name}>")
    return json.loads(text)


def organization_world(backend):
    units = {unit.id: unit for unit in backend.ou}

    def place(target):
        unit = units.get(target.parent_id) if target.id != backend.org.root_id else None
        return f"{place(unit)}/{target.name}" if unit else target.name

    said = {f"policy {policy.name}": policy.content for policy in backend.policies}
    for target in [*backend.ou, *backend.accounts]:
        attached = sorted(policy.name for policy in target.attached_policies if policy.type == "SERVICE_CONTROL_POLICY")
        said[f"{target.type.lower()} {target.name}"] = {"place": place(target), "policies": attached}
    for account in backend.accounts:
        said[f"account {account.name}"] |= {"email": account.email, "tags": account.tags}
    said["accounts"] = sorted(account.name for account in backend.accounts)
    return said


def identity_center_world(management, names):
    said, principals = {}, {}
    for region, store in identitystore.identitystore_backends[management].items():
        for data in store.identity_stores.values():
            users = {id: user.UserName for id, user in data.users.items()}
            groups = {id: group.DisplayName for id, group in data.groups.items()}
            principals |= users | groups
            said["users"] = sorted(users.values())
            said["groups"] = sorted(groups.values())
            said["memberships"] = sorted(
                [groups[m["GroupId"]], users[m["MemberId"]["UserId"]]] for m in data.group_memberships.values()
            )
    for region, center in ssoadmin.ssoadmin_backends[management].items():
        sets = {permission_set.permission_set_arn: permission_set for permission_set in center.permission_sets}
        for permission_set in sets.values():
            said[f"permission set {permission_set.name}"] = {
                "session": permission_set.session_duration,
                "policies": sorted(policy.name for policy in permission_set.customer_managed_policies),
            }
        if center.account_assignments:
            said["assignments"] = sorted(
                [sets[a.permission_set_arn].name, principals.get(a.principal_id, "nobody"), names.get(a.target_id, a.target_id)]
                for a in center.account_assignments
            )
    return said


def document(text):
    """Policies from a stack are documents already, those from a call are text."""
    return json.loads(text) if isinstance(text, str) else text


def account_world(id):
    backend = iam.iam_backends[id]["global"]
    # Its last part is of the account's id.
    said = {"aliases": [alias.removesuffix(id[-6:]) for alias in backend.account_aliases]}
    for role in backend.roles.values():
        said[f"role {role.path}{re.sub('_[0-9a-f]{16}$', '', role.name)}"] = {
            "trust": document(role.assume_role_policy_document),
            "inline": {name: document(text) for name, text in role.policies.items()},
            "attached": sorted(role.managed_policies),
        }
    for policy in backend.managed_policies.values():
        if "aws:policy" not in policy.arn:
            # A version that was made twice, because an answer got lost, says the same.
            versions = {json.dumps(document(version.document)): version.is_default for version in policy.versions}
            said[f"policy {policy.path}{policy.name}"] = sorted(versions.items())
    buckets = s3.s3_backends[id]["aws"].buckets.values() if id in s3.s3_backends else []
    said["buckets"] = sorted(bucket.name for bucket in buckets if bucket.account_id == id)
    regions = logs.logs_backends[id].values() if id in logs.logs_backends else []
    said["log groups"] = sorted(name for region in regions for name in region.groups)
    return said


dispatch = DomainDispatcherApplication.__call__
QUESTIONS = {"/_koza/role": role, "/_koza/account": account, "/_koza/world": world}
DomainDispatcherApplication.__call__ = lambda self, environ, start_response: guard.wsgi(
    lambda environ, start_response: dispatch(self, environ, start_response), QUESTIONS
)(environ, start_response)

if __name__ == "__main__":
    from moto.server import main

    main(["-H", "127.0.0.1", "-p", sys.argv[1]])

"""Starts moto with one small, shared set of AWS managed policies and the operations account in the organization.

moto's own full set costs 1 s and 33 MB for every account. Arguments: port, operations account id.
"""

import sys

from moto.iam import models as iam
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

if __name__ == "__main__":
    from moto.server import main

    main(["-H", "127.0.0.1", "-p", sys.argv[1]])

#!/usr/bin/env python3
"""Counts what is left in accounts, with boto3 and nothing of Koza's own listing code.

    leftovers.py --endpoint URL --accounts FILE [--regions a,b]

FILE is a JSON list of account ids. Prints {account: [{"type", "id", "region"}]}. What every account has (AWS's own roles,
the default VPC and its parts) and what Koza keeps there (roles and policies under /koza/, the access role) is not counted.
"""

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor

import boto3
from botocore.config import Config

# The administrator of the local AWS's management account.
KEY = "AKIAKOZAMANAGEMENT00"
GLOBAL = "us-east-1"


def pages(client, operation, field, **arguments):
    """Every item of a list operation, paged where boto3 knows how."""
    if client.can_paginate(operation):
        for page in client.get_paginator(operation).paginate(**arguments):
            found = page
            for part in field.split("."):
                found = found.get(part) or []
            yield from found
    else:
        yield from getattr(client, operation)(**arguments).get(field) or []


def regional(make, region):
    """Everything in one Region of one account, as (CloudFormation type, id)."""
    for stack in pages(make("cloudformation"), "list_stacks", "StackSummaries"):
        if stack["StackStatus"] != "DELETE_COMPLETE":
            yield "AWS::CloudFormation::Stack", stack["StackName"]
    for function in pages(make("lambda"), "list_functions", "Functions"):
        yield "AWS::Lambda::Function", function["FunctionName"]
    for api in pages(make("apigateway"), "get_rest_apis", "items"):
        yield "AWS::ApiGateway::RestApi", api["id"]
    for pool in pages(make("cognito-idp"), "list_user_pools", "UserPools", MaxResults=60):
        yield "AWS::Cognito::UserPool", pool["Id"]
    for table in pages(make("dynamodb"), "list_tables", "TableNames"):
        yield "AWS::DynamoDB::Table", table
    for group in pages(make("logs"), "describe_log_groups", "logGroups"):
        yield "AWS::Logs::LogGroup", group["logGroupName"]
    sagemaker = make("sagemaker")
    for notebook in pages(sagemaker, "list_notebook_instances", "NotebookInstances"):
        yield "AWS::SageMaker::NotebookInstance", notebook["NotebookInstanceName"]
    for config in pages(sagemaker, "list_notebook_instance_lifecycle_configs", "NotebookInstanceLifecycleConfigs"):
        yield "AWS::SageMaker::NotebookInstanceLifecycleConfig", config["NotebookInstanceLifecycleConfigName"]
    yield from network(make("ec2"))


def network(ec2):
    """VPCs and what is in them, but for the default VPC and its parts."""
    vpcs = list(pages(ec2, "describe_vpcs", "Vpcs"))
    default = {vpc["VpcId"] for vpc in vpcs if vpc["IsDefault"]}
    for vpc in vpcs:
        if not vpc["IsDefault"]:
            yield "AWS::EC2::VPC", vpc["VpcId"]
    for endpoint in pages(ec2, "describe_vpc_endpoints", "VpcEndpoints"):
        if endpoint.get("State", "").lower() != "deleted":
            yield "AWS::EC2::VPCEndpoint", endpoint["VpcEndpointId"]
    for interface in pages(ec2, "describe_network_interfaces", "NetworkInterfaces"):
        yield "AWS::EC2::NetworkInterface", interface["NetworkInterfaceId"]
    for group in pages(ec2, "describe_security_groups", "SecurityGroups"):
        if group["GroupName"] != "default" or group["VpcId"] not in default:
            yield "AWS::EC2::SecurityGroup", group["GroupId"]
    for subnet in pages(ec2, "describe_subnets", "Subnets"):
        if subnet["VpcId"] not in default or not subnet.get("DefaultForAz"):
            yield "AWS::EC2::Subnet", subnet["SubnetId"]
    for table in pages(ec2, "describe_route_tables", "RouteTables"):
        main = any(association.get("Main") for association in table["Associations"])
        if table["VpcId"] not in default or not main:
            yield "AWS::EC2::RouteTable", table["RouteTableId"]
    for gateway in pages(ec2, "describe_internet_gateways", "InternetGateways"):
        if not any(attachment["VpcId"] in default for attachment in gateway["Attachments"]):
            yield "AWS::EC2::InternetGateway", gateway["InternetGatewayId"]
    for pair in ec2.describe_key_pairs()["KeyPairs"]:
        yield "AWS::EC2::KeyPair", pair["KeyName"]


def everywhere(make):
    """What has no Region: buckets, distributions, IAM."""
    for bucket in make("s3").list_buckets()["Buckets"]:
        yield "AWS::S3::Bucket", bucket["Name"]
    for distribution in pages(make("cloudfront"), "list_distributions", "DistributionList.Items"):
        yield "AWS::CloudFront::Distribution", distribution["Id"]
    iam = make("iam")
    for role in pages(iam, "list_roles", "Roles"):
        ours = role["Path"] == "/koza/" and role["RoleName"] != "koza-keeper"
        aws = role["Path"].startswith(("/aws-reserved/", "/aws-service-role/"))
        if not ours and not aws and role["RoleName"] != "OrganizationAccountAccessRole":
            yield "AWS::IAM::Role", role["RoleName"]
    for policy in pages(iam, "list_policies", "Policies", Scope="Local"):
        if policy["Path"] != "/koza/":
            yield "AWS::IAM::ManagedPolicy", policy["Arn"]
    for user in pages(iam, "list_users", "Users"):
        yield "AWS::IAM::User", user["UserName"]
    for profile in pages(iam, "list_instance_profiles", "InstanceProfiles"):
        yield "AWS::IAM::InstanceProfile", profile["InstanceProfileName"]


def count(session, endpoint, account, regions):
    """What is in one account, read with its access role."""
    quick = Config(retries={"max_attempts": 2}, s3={"addressing_style": "path"})
    role = f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole"
    sts = session.client("sts", endpoint_url=endpoint)
    given = sts.assume_role(RoleArn=role, RoleSessionName="leftovers")["Credentials"]

    def clients(region):
        return lambda service: session.client(
            service,
            region_name=region,
            endpoint_url=endpoint,
            config=quick,
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )

    found = [{"type": kind, "id": name, "region": "global"} for kind, name in everywhere(clients(GLOBAL))]
    for region in regions:
        found += [{"type": kind, "id": name, "region": region} for kind, name in regional(clients(region), region)]
    return account, found


def count_all(endpoint, accounts, regions):
    """The same for many accounts. One session for all: it reads the description of each service once."""
    session = boto3.Session(aws_access_key_id=KEY, aws_secret_access_key="local", region_name=GLOBAL)
    return dict(count(session, endpoint, account, regions) for account in accounts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--accounts", required=True)
    parser.add_argument("--regions", default="ap-northeast-1,us-east-1")
    arguments = parser.parse_args()
    with open(arguments.accounts, encoding="utf-8") as file:
        accounts = json.load(file)
    regions = arguments.regions.split(",")
    counted = {}
    with ProcessPoolExecutor(2) as pool:
        for part in pool.map(count_all, [arguments.endpoint] * 2, [accounts[::2], accounts[1::2]], [regions] * 2):
            counted |= part
    json.dump(counted, sys.stdout, indent=1)


if __name__ == "__main__":
    main()

"""Writes rest-operations.tsv: service, HTTP method, URI template, operation; facts from botocore's service models.

Run with any Python that has botocore: python make-rest-operations.py > rest-operations.tsv
"""
import botocore.session

SERVICES = ["account", "apigateway", "cloudfront", "lambda", "s3", "sso"]

session = botocore.session.get_session()
loader = session.get_component("data_loader")
print("service\tmethod\turi\trequired\toperation")
for service in SERVICES:
    model = loader.load_service_model(service, "service-2")
    for name, operation in sorted(model["operations"].items()):
        if name == "ListDirectoryBuckets":  # the same request as ListBuckets, to another host
            continue
        shape = model["shapes"].get(operation.get("input", {}).get("shape"), {})
        required = [
            shape["members"][member]
            for member in shape.get("required", [])
            if shape["members"][member].get("location") in ("querystring", "header")
        ]
        # What must be in the query or the headers tells operations of one URI apart.
        needs = ",".join(sorted(f"{m['location']}:{m['locationName'].lower()}" for m in required))
        http = operation["http"]
        # CloudFront's names carry the API version here and nowhere else.
        plain = name.split("20")[0] if service == "cloudfront" and name[-1].isdigit() else name
        print(f"{service}\t{http['method']}\t{http['requestUri']}\t{needs}\t{plain}")

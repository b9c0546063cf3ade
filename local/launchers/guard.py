"""Stands before an emulator: whoever does not show the gateway's secret gets 403, so that no call misses quotas, policies and
ledger. `questions` are the gateway's own, by path: each a function of the query's fields that gives what is answered as JSON, or None.
Whether the emulator is ready is asked of each.
"""

import hmac
import json
import os
from urllib.parse import parse_qsl

HEADER = "x-koza-gateway"
READY = {"/_koza/ready": lambda: True}
ONLY = b"the emulators are reached only through the gateway"


def is_gateway(shown):
    return hmac.compare_digest((shown or "").encode(), os.environ["KOZA_GATEWAY_SECRET"].encode())


def own_answer(questions, path, query):
    answer = questions[path](**dict(parse_qsl(query)))
    return json.dumps(answer).encode()


def wsgi(application, questions):
    questions = READY | questions

    def guarded(environ, start_response):
        def answer(status, kind, body):
            start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
            return [body]

        if not is_gateway(environ.pop("HTTP_X_KOZA_GATEWAY", None)):
            return answer("403 Forbidden", "text/plain", ONLY)
        if environ["PATH_INFO"] in questions:
            return answer("200 OK", "application/json", own_answer(questions, environ["PATH_INFO"], environ["QUERY_STRING"]))
        return application(environ, start_response)

    return guarded


def asgi(application, questions):
    questions = READY | questions

    async def guarded(scope, receive, send):
        async def answer(status, kind, body):
            await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})
            await send({"type": "http.response.body", "body": body})

        if scope["type"] == "lifespan":
            return await application(scope, receive, send)
        shown = {name.lower(): value for name, value in scope.get("headers", [])}.get(HEADER.encode(), b"")
        if not is_gateway(shown.decode("latin-1")):
            if scope["type"] == "websocket":
                return await send({"type": "websocket.close", "code": 1008})
            return await answer(403, b"text/plain", ONLY)
        if scope["path"] in questions:
            return await answer(200, b"application/json", own_answer(questions, scope["path"], scope["query_string"].decode()))
        return await application(scope, receive, send)

    return guarded

"""What an ICAP client must keep to (RFC 3507), as checks of what came. Each function gives what is
wrong, as texts."""

import re

HOP_BY_HOP = ("Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
              "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade")
LEGAL_PARTS = {
    "REQMOD": ({"req-hdr", "req-body"}, {"req-hdr", "null-body"}),
    "RESPMOD": ({"req-hdr", "res-hdr", "res-body"}, {"req-hdr", "res-hdr", "null-body"}),
    "OPTIONS": (set(), {"null-body"}),
}
ONCE = ("Host", "Encapsulated", "Preview", "Allow")
REQUEST_LINE = re.compile(r"(OPTIONS|REQMOD|RESPMOD) icaps?://([^/\s]+)(/\S*)? ICAP/1\.0")


def of_icap_head(request):
    """4.2, 4.3, 4.4.1, after REQUEST_LINE; the values of Encapsulated are looked at in of_parts."""
    authority = REQUEST_LINE.fullmatch(request.start)[2]
    if request.value("Host") not in (authority, authority.partition(":")[0]):
        yield f"Host is {request.value('Host')!r} for {authority!r}"
    for name in ONCE:
        if len(request.values(name)) > 1:
            yield f"{name} twice"
    for name in ("Transfer-Encoding", "Content-Length", "Upgrade"):
        if request.values(name):
            yield f"{name} in the ICAP head"
    if request.method in ("REQMOD", "RESPMOD") and request.value("Encapsulated") is None:
        yield "no Encapsulated"


def of_parts(request):
    """4.4.1, and 4.9.1: a response comes with its request."""
    kinds = {kind for kind, _ in request.parts}
    if kinds not in LEGAL_PARTS.get(request.method, ()):
        yield f"{request.method} with {request.value('Encapsulated')!r}"


def of_promises(request, offers):
    """What the last OPTIONS answers allow: `offers` has attributes preview, allow, methods of each;
    empty when there was none."""
    if not offers:
        yield f"{request.method} before OPTIONS"
        return
    if request.method not in {method for offer in offers for method in offer.methods}:
        yield f"{request.method} is not offered"
    if request.preview_limit is not None:
        most = max((offer.preview for offer in offers if offer.preview is not None), default=None)
        if most is None or request.preview_limit > most:
            yield f"Preview: {request.preview_limit} where {most} is offered"
    if "206" in request.allows and not any("206" in offer.allow for offer in offers):
        yield "206 is allowed, and not offered"


def of_http_heads(request):
    """4.4.2, and that bodies are where HTTP has them, and only there (4.4.1, 4.5)."""
    asked, given = request.http_request, request.http_response
    if asked:
        if not re.fullmatch(r"\S+ \S+ HTTP/1\.[01]", asked.start):
            yield f"not a request line: {asked.start!r}"
        if len(asked.values("Host")) > 1:
            yield f"Host twice: {asked.raw_head!r}"
    if given and not re.fullmatch(r"HTTP/1\.[01] [2-5][0-9][0-9] .*", given.start):
        yield f"not the status line of a final response: {given.start!r}"
    for head in filter(None, (asked, given)):
        for name, _ in head.fields:
            if name.title() in map(str.title, HOP_BY_HOP):
                yield f"{name} in an encapsulated head"
    head = given or asked
    if head is None:
        return
    if has_no_body(asked, given):
        if request.has_body:
            yield f"{request.body_kind} where HTTP has none: {head.start!r}"
    elif (head.value("Content-Length") or "0") == "0":
        if request.has_body and head.value("Content-Length"):
            yield f"{request.body_kind} for Content-Length: 0"
    elif not request.has_body:
        yield f"null-body for Content-Length: {head.value('Content-Length')}"


def has_no_body(asked, given):
    """By rule, whatever the fields say."""
    if given is None:
        return asked.method in ("CONNECT", "TRACE")
    method = asked.method if asked else "GET"
    return method == "HEAD" or given.status in (204, 304) or (
        method == "CONNECT" and given.status < 300)


def of_preview(request):
    """When it is over. 4.5: exactly as many bytes as it says, or all of the body."""
    got, said = len(request.preview), request.preview_limit
    if got > said:
        yield f"{got} bytes in a preview of {said}"
    if got < said and not request.ieof:
        yield f"{got} bytes in a preview of {said}, and no ieof"


def of_whole(request):
    """When the last chunk came: then the body is as long as its head says."""
    head = request.http_response or request.http_request
    length = head.value("Content-Length") if head and request.has_body else None
    if length is not None and int(length) != len(request.content):
        yield f"the last chunk after {len(request.content)} bytes of {length}"

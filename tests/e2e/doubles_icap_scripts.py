"""Scripts for IcapDouble: answers as servers give them, and as they should not.

`after` says what is read before the answer: "preview" (all that comes without 100), "all" (with
100), "heads" (nothing else), or a count of bytes, with the rest read while the answer is sent.
"""

import dataclasses
import threading

from doubles_icap import Answer, wait_until_read
from wire import chunk, head_bytes
from wire_icap import LAST_CHUNK, edited


def read(exchange, after):
    if after == "all":
        exchange.read_all()
    elif after == "preview":
        exchange.read()
    elif after != "heads":
        exchange.read_some(after)
        exchange.alongside()


def answer_of(script, exchange):
    """What the script has for an answer: an Answer or bytes."""
    while callable(script):
        script = script(exchange)
    return script


# Answers.

def unmodified(*fields, after="preview", encapsulated="", status="204 Unmodified"):
    def script(exchange):
        read(exchange, after)
        return Answer(status, fields, encapsulated=encapsulated)

    return script


def adapted(body=None, *fields, start=None, without=(), length=True, after="all", status="200 OK"):
    """What came with changes. `body` is bytes, a function of the content, or None: the content.
    `length` is True (that of the body), False (no Content-Length) or a number. `fields` are the
    HTTP message's."""
    def script(exchange):
        read(exchange, after)
        request = exchange.request
        head = request.http_response or request.http_request
        kind = "res-hdr" if request.http_response else "req-hdr"
        content = body(request.content) if callable(body) else body
        if content is None and request.has_body:
            content = request.content
        gone, more = list(without), list(fields)
        if body is not None or length is not True:
            gone += ["Content-Length"]
            size = len(content or b"") if length is True else length
            more += [] if length is False else [f"Content-Length: {size}"]
        return Answer(status, heads=((kind, edited(head, *more, start=start, without=gone)),),
                      body=content)

    return script


def echo(after="all"):
    """200 with what came."""
    return adapted(after=after)


def honest(after="preview"):
    """204 where the client can take it, else what came."""
    def script(exchange):
        read(exchange, after)
        kept = exchange.stage == "paused" or exchange.request.ieof
        if kept or "204" in exchange.request.allows:
            return Answer("204 Unmodified", encapsulated="")
        return echo()

    return script


def response(body=b"blocked", *fields, status="403 Forbidden", version="1.1", length=True,
             after="preview"):
    """A response of the server's own, be it to REQMOD or to RESPMOD; body=None has none."""
    def script(exchange):
        read(exchange, after)
        size = [] if length is False or body is None else [
            f"Content-Length: {len(body) if length is True else length}"]
        head = head_bytes(f"HTTP/{version} {status}", *size, *fields)
        return Answer(heads=(("res-hdr", head),), body=body)

    return script


def request(start, body=None, *fields, after="preview"):
    """A request of the server's own, with a Content-Length if there is a body."""
    def script(exchange):
        read(exchange, after)
        size = [] if body is None else [f"Content-Length: {len(body)}"]
        return Answer(heads=(("req-hdr", head_bytes(start, *size, *fields)),), body=body)

    return script


def partial(prefix, original_from, *fields, after="preview"):
    """206: the prefix, and what came from a byte on. A Content-Length is made right."""
    def script(exchange):
        came = exchange.request.http_response or exchange.request.http_request
        read(exchange, after)
        said = came.value("Content-Length")
        size = [f"Content-Length: {len(prefix) + int(said) - original_from}"] if said else []
        kind = "res-hdr" if exchange.request.http_response else "req-hdr"
        head = edited(came, *size, *fields, without=["Content-Length"])
        return Answer("206 Partial Content", heads=((kind, head),), body=prefix,
                      last=head_bytes(f"0; use-original-body={original_from}"))

    return script


def error(status, *fields, after="preview"):
    """An ICAP status without anything in it."""
    def script(exchange):
        read(exchange, after)
        return Answer(status, fields, encapsulated="")

    return script


# What goes on around an answer.

def in_turn(*scripts):
    """One for each request, the last for all that follow."""
    lock, left = threading.Lock(), list(scripts)

    def script(_):
        with lock:
            return left.pop(0) if len(left) > 1 else left[0]

    return script


def by_path(scripts, otherwise):
    """By what the HTTP request's target ends in."""
    def script(exchange):
        target = exchange.request.http_request.target
        return next((each for end, each in scripts.items() if target.endswith(end)), otherwise)

    return script


def when(event, script):
    """Answers when the test sets the event; `after` of the script is read before that."""
    def waiting(exchange):
        answer = answer_of(script, exchange)
        exchange.wait(event)
        return answer

    return waiting


def altered(script, **changes):
    """Its Answer with other parts; fields are added to what it has."""
    def changed(exchange):
        answer = answer_of(script, exchange)
        fields = answer.fields + tuple(changes.get("fields", ()))
        return dataclasses.replace(answer, **changes | {"fields": fields})

    return changed


def continued(script, *fields, times=1):
    """100 so many times after the preview, wanted or not, and with these fields."""
    def script_after_100(exchange):
        exchange.read()
        for _ in range(times):
            exchange.go_on(*fields)
        return script

    return script_after_100


def dribbled(script):
    """One byte at a time."""
    def slow(exchange):
        exchange.dribble(exchange.bytes_of(answer_of(script, exchange)))

    return slow


def then(script, how):
    """Ends the connection behind the answer: "close", "reset"; or "stall"."""
    def ending(exchange):
        answer = answer_of(script, exchange)
        if answer:
            exchange.send(answer)
        leave(exchange, how)

    return ending


def leave(exchange, how):
    {"close": exchange.end, "reset": exchange.reset, "stall": exchange.stall}[how]()


def closing(script):
    """Says Connection: close, and does so."""
    return then(altered(script, fields=("Connection: close",)), "close")


def crossed(script, how="408"):
    """The answer; and the connection dies by "408", "close" or "reset" just as the next request is
    on its way, which is never read."""
    def script_and_end(exchange):
        exchange.send(answer_of(script, exchange))
        exchange.read()
        exchange.await_bytes()
        if how == "408":
            exchange.wire.send(TIMED_OUT)
        leave(exchange, "reset" if how == "reset" else "close")

    return script_and_end


def timed_out_when_idle(script):
    """The answer, and 408 with the end of the connection when the client has read that."""
    def script_and_408(exchange):
        exchange.send(answer_of(script, exchange))
        exchange.read()
        wait_until_read(exchange.wire.socket)
        exchange.wire.send(TIMED_OUT)
        exchange.end()

    return script_and_408


TIMED_OUT = head_bytes("ICAP/1.0 408 Request timeout", "Connection: close")


# What breaks off, and nonsense.

def broken(where, how="close", script=None, after="all"):
    """An answer (what came, if not said otherwise) of which nothing is sent from there on; see
    Answer.cut."""
    def cut(exchange):
        if where == "answer":
            read(exchange, after)
        else:
            answer = answer_of(script or echo(after), exchange)
            exchange.send(answer.cut(where, exchange.service.options.istag))
        leave(exchange, how)

    return cut


def silent(after="preview"):
    """No answer, until the client leaves."""
    return broken("answer", "stall", after=after)


def raw(data, how=None, after="preview"):
    """Bytes; then "close", "reset", "stall", or nothing."""
    def script(exchange):
        read(exchange, after)
        exchange.send(data)
        if how:
            leave(exchange, how)

    return script


def followed(script, data):
    """Something behind the answer, in the same piece: bytes, or a script's answer."""
    def both(exchange):
        more = answer_of(data, exchange)
        one = exchange.bytes_of(answer_of(script, exchange))
        exchange.send(one + (more if isinstance(more, bytes) else exchange.bytes_of(more)))

    return both


def odd_fields(script):
    """Names in upper case, no spaces or many, folded lines, empty ones, those nobody knows."""
    def odd(exchange):
        answer = answer_of(script, exchange)
        head = answer.head('"odd"').decode("latin-1")
        _, line, rest = head.partition("Encapsulated: ")
        value = rest.partition("\r\n")[0]
        fields = ["X-Empty:", "X-Violations-Found: 1\r\n\t-\r\n\tTest\r\n\t0\r\n\t0",
                  "x-lower:\t  spaced  \t", "Connection:keep-alive"]
        if line:
            fields.append("ENCAPSULATED:" + value.replace(", ", " ,\t").replace("=", " = "))
        exchange.send(head_bytes(f"ICAP/1.0 {answer.status}", *fields) + answer.http_heads
                      + answer.chunks + answer.end)

    return odd


def lets_go(whole, count, *fields, ending=LAST_CHUNK):
    """As a scanner that lets a part through while it reads, then finds something: the head with
    the whole length, so many bytes of the content as they come, and the end of the chunks."""
    def script(exchange):
        exchange.read()
        if exchange.stage == "paused":
            exchange.go_on()
        came = exchange.request.http_response
        head = edited(came, f"Content-Length: {whole}", *fields, without=["Content-Length"])
        exchange.read_some(count)
        answer = Answer(heads=(("res-hdr", head),), body=b"")
        exchange.request.answered = True
        exchange.wire.send(exchange.bytes_of(answer)[:-len(LAST_CHUNK)]
                           + chunk(exchange.request.content[:count]))
        exchange.read()
        exchange.wire.send(ending)

    return script


def coded(body, data, last=LAST_CHUNK, length=True, after="all"):
    """A body by chunks that are written out, to see how they are read."""
    return altered(adapted(body, length=length, after=after), coded=data, last=last)


def early_close(script, count):
    """Answers (a script that reads no more than "heads") after so many bytes of the body and closes
    with the rest unread, which makes a reset of it as soon as more comes."""
    def script_and_close(exchange):
        exchange.read_some(count)
        exchange.send(answer_of(script, exchange))
        exchange.wire.close()

    return script_and_close

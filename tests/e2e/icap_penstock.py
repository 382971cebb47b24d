"""Penstock with ICAP services, for the plan's cases and for servers that others wrote."""

from icap_plan import IcapPlanTest


class PenstockPlanTest(IcapPlanTest):
    """Carries the plan's cases out, at the sides that `at` says."""

    at = {"REQMOD": "client", "RESPMOD": "server"}

    def start_proxy(self, services, settings):
        sections, names = {}, []
        for number, service in enumerate(services):
            name = f"s{number}"
            names.append(name)
            sections[f"icap.{name}"] = self.service_section(service, settings)
            if settings.ca:
                sections[f"icap.{name}.tls"] = {"ca_file": settings.ca}
            if settings.keep_limit:
                sections[f"icap.{name}.keep"] = {"total": f"{settings.keep_limit}B",
                                                  "memory": f"{settings.keep_limit}B"}
            sections[f"icap.{name}.breaker"] = {
                "retry_after": self.seconds(settings.retry_after or 1)}
        policy = {"essential": "closed", "optional": "open"}
        on_failure = policy[services[0].policy]
        groups = [names] if settings.group == "set" else [[name] for name in names]
        filters = [{"name": f"f{number}", "icap": group, "on_failure": on_failure,
                    "at": self.at[services[0].point]}
                   for number, group in enumerate(groups)]
        return self.forward(filter=filters, **sections)

    def service_section(self, service, settings):
        section = {"url": service.uri, "methods": [service.point.lower()],
                   "allow_206": settings.allow_206}
        if settings.io_timeout:
            section["timeout"] = self.seconds(settings.io_timeout)
        if settings.options_ttl:
            section["options_ttl"] = self.seconds(settings.options_ttl)
        if settings.overload:
            section["on_overload"] = settings.overload
        if settings.share:
            section["share"] = list(settings.share)
        return section

    @staticmethod
    def seconds(number):
        return f"{int(number * 1000)}ms"

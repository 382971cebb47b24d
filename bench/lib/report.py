"""Medians, ratios and tables."""
import statistics

from lib import icap

MIB = 1024 * 1024
# The floor is no proxy, and Penstock is the one compared, also with another build of itself.
NOT_RIVALS = ("relay", "penstock", "before")


def medians(rounds):
    """The median of each figure over the rounds of one peer."""
    row = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
    if "cpu_us" in row:
        values = [one["cpu_us"] for one in rounds]
        row["spread_percent"] = 100 * (max(values) - min(values)) / row["cpu_us"]
        row["failures"] = sum(one["failures"] for one in rounds)
    return row


def ratio(rounds, base, key):
    """The median of the ratios round by round, which are hardly touched by the machine's drift."""
    pairs = zip(rounds, base)
    return statistics.median(one[key] / other[key] for one, other in pairs if other[key] > 0)


def summarize(results, key):
    """Rows by peer from rounds by peer, with the ratios of one figure."""
    rows = {peer: medians(rounds) for peer, rounds in results.items()}
    rivals = [peer for peer in rows if peer not in NOT_RIVALS]
    best = min(rivals, key=lambda peer: rows[peer][key]) if rivals else None
    for peer, row in rows.items():
        row["to_relay"] = ratio(results[peer], results["relay"], key) if "relay" in rows else None
        row["to_best"] = ratio(results[peer], results[best], key) if best else None
    return rows, best


def table(workload, results):
    """The lines to print for one workload."""
    if workload.is_icap():
        return icap_table(workload, results)
    key = "bytes_per_connection" if workload.idle else "cpu_us"
    rows, best = summarize(results, key)
    columns = idle_columns() if workload.idle else time_columns(workload.big)
    columns += [("/relay", lambda row: number(row["to_relay"], 2)),
                (f"/{best or 'best'}", lambda row: number(row["to_best"], 2))]
    lines = [f"{workload.name}: {workload.title}"]
    lines.append(f"{'':10}" + "".join(f"{name:>11}" for name, _ in columns))
    for peer, row in rows.items():
        lines.append(f"{peer:10}" + "".join(f"{text(row):>11}" for _, text in columns))
        if row.get("failures"):
            lines.append(f"{'':10}  {row['failures']} exchanges of {peer} failed")
    return lines, rows


def icap_table(workload, results):
    """The same where proxies with an ICAP service are compared with themselves without."""
    rows = {peer: medians(rounds) for peer, rounds in results.items()}
    for peer, row in rows.items():
        program, case = icap.PEERS.get(peer, (peer, None))
        plain = results.get(program) if case else None
        for key in ("cpu_us", "p50_us"):
            row["added_" + key] = added(results[peer], plain, key)
        row["to_plain"] = ratio(results[peer], plain, "cpu_us") if plain else None
        row["rival"] = f"squid-{case}"
    lines = [f"{workload.name}: {workload.title}"]
    lines.append(f"{'':21}" + "".join(f"{name:>11}" for name, _ in icap_columns(rows)))
    for peer, row in rows.items():
        lines.append(f"{peer:21}" + "".join(f"{text(row):>11}" for _, text in icap_columns(rows)))
        if row.get("failures"):
            lines.append(f"{'':21}  {row['failures']} exchanges of {peer} failed")
    return lines, rows


def added(rounds, plain, key):
    """The median of the differences round by round; None without anything to compare with."""
    if not plain:
        return None
    return statistics.median(one[key] - other[key] for one, other in zip(rounds, plain))


def icap_columns(rows):
    def to_squid(row):
        rival = rows.get(row["rival"], {}).get("added_cpu_us")
        mine = row["added_cpu_us"]
        return number(mine / rival if mine is not None and rival else None, 2)

    return [
        ("CPU us/req", lambda row: number(row["cpu_us"], 1)),
        ("added", lambda row: number(row["added_cpu_us"], 1)),
        ("/ Squid's", to_squid),
        ("/no ICAP", lambda row: number(row["to_plain"], 2)),
        ("spread %", lambda row: number(row["spread_percent"], 0)),
        ("core %", lambda row: number(row["core_percent"], 0)),
        ("p50 us", lambda row: number(row["p50_us"], 0)),
        ("added", lambda row: number(row["added_p50_us"], 0)),
        ("conns/1000", lambda row: number(row["icap_connections_per_1000"], 2)),
    ]


def idle_columns():
    return [
        ("B/conn", lambda row: number(row["bytes_per_connection"], 0)),
        ("MiB before", lambda row: number(row["memory_before"] / MIB, 1)),
        ("MiB after", lambda row: number(row["memory"] / MIB, 1)),
    ]


def time_columns(big):
    columns = [
        ("req/s", lambda row: number(row["requests_per_second"], 0)),
        ("CPU us/req", lambda row: number(row["cpu_us"], 1)),
        ("user", lambda row: number(row["user_us"], 1)),
        ("sys", lambda row: number(row["system_us"], 1)),
        ("spread %", lambda row: number(row["spread_percent"], 0)),
        ("core %", lambda row: number(row["core_percent"], 0)),
        ("p50 us", lambda row: number(row["p50_us"], 0)),
        ("p99 us", lambda row: number(row["p99_us"], 0)),
        ("PSS MiB", lambda row: number(row["memory"] / MIB, 1)),
    ]
    if big:
        # Bytes a microsecond are megabytes a second.
        columns.insert(1, ("GB/CPU s", lambda row: number(big / row["cpu_us"] / 1000, 2)))
    return columns


def number(value, digits):
    return "-" if value is None else f"{value:,.{digits}f}"

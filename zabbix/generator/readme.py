"""The page about one template, in the structure of the pages of Zabbix's own templates, from its file's content."""

TESTED = ("Zabbix 6.0.14", "Zabbix 7.0.22")
TYPES = {
    "EXTERNAL": "External check",
    "CALCULATED": "Calculated",
    "DEPENDENT": "Dependent item",
    "ZABBIX_ACTIVE": "Zabbix agent (active)",
    "ZABBIX_PASSIVE": "Zabbix agent",
}
HANDLERS = {"DISCARD_VALUE": "Discard value", "CUSTOM_VALUE": "Set value to `{}`", "CUSTOM_ERROR": "Set error to `{}`"}
ITEMS = ("Name", "Description", "Type", "Key and additional info")
TRIGGERS = ("Name", "Description", "Expression", "Severity", "Dependencies and additional info")


def page(template, body):
    """`body` is the template as `release.File` makes it."""
    rule = body["discovery_rules"][0]
    parts = [
        f"# {template.name}",
        "<!-- zabbix/generate writes this page. -->",
        "## Overview",
        template.overview,
        "## Requirements",
        "Zabbix version: 6.0 and higher. Import the file in `6.0/` for 6.0 to 6.4, the file in `7.0/` for 7.0 and later. Both have "
        "the same items, triggers and uuids, so after an upgrade of Zabbix import the new file over the old one.",
        "## Tested versions",
        "\n".join(f"- {version}" for version in TESTED),
        "## Setup",
        "\n".join(f"{number}. {step}" for number, step in enumerate(template.setup, 1)),
        "### Macros used",
        table(("Name", "Description", "Default"), [macro(one) for one in body["macros"]]),
        "### Items",
        table(ITEMS, [item(one) for one in body["items"]]),
        "### Triggers",
        table(TRIGGERS, [trigger(one) for one in [*attached(body["items"], "triggers"), *getattr(template, "triggers", list)()]]),
        f"### LLD rule {rule['name']}",
        table(ITEMS, [item(rule)]),
        f"### Item prototypes for {rule['name']}",
        table(ITEMS, [item(one) for one in rule["item_prototypes"]]),
        f"### Trigger prototypes for {rule['name']}",
        table(TRIGGERS, [trigger(one) for one in prototypes(rule)]),
        f"### Graph prototypes for {rule['name']}",
        "\n".join(f"- {one['name']}" for one in rule["graph_prototypes"]),
        "## Dashboard",
        template.shows,
        *comparison(template),
    ]
    return "\n\n".join(parts) + "\n"


def comparison(template):
    """With Zabbix's own template for certificates, in templates that have certificates."""
    if not any(one["macro"] == "{$TCP.TLS.SERVICES}" for one in template.macros()):
        return []
    return ["## Certificates, compared", COMPARISON]


COMPARISON = """Compared with *Website certificate by Zabbix agent 2* of Zabbix 7.0:

|  | Website certificate by Zabbix agent 2 | this template |
|----|----|----|
| services | HTTPS, one site per host | every service with TLS or STARTTLS, any number of ports or targets |
| where it runs | Zabbix agent 2 | server, proxy, or either agent |
| expires | a number of days (7) | days and part of the lifetime, two severities |
| not trusted | item and trigger, with the message of Go's library | all faults, each with its remedy; one sentence in the name of the problem |
| another certificate | trigger on the fingerprint | the digest as an item; a trigger if the new certificate ends earlier than the old one |
| encryption no longer offered | | trigger |
| TLS version | | item, and a trigger for old versions |
| addresses that serve different certificates | | trigger, with `{$TCP.ADDRESSES}` = all |
| serial number, signature and key algorithm, alternative names | items | names as an item; the others are in the document |
| the service is down | the items are not supported | one problem of the service; the certificate's problems stay as they were |"""


def attached(items, member):
    return [one for holder in items for one in holder.get(member, ())]


def prototypes(rule):
    """Including those of single items, in the order of the chain: triggers with fewer dependencies first."""
    every = [*rule["trigger_prototypes"], *attached(rule["item_prototypes"], "trigger_prototypes")]
    return sorted(every, key=lambda one: (one["priority"] == "WARNING" and "performance" in str(one["tags"]),
                                          len(one.get("dependencies", ()))))


def table(heads, rows):
    lines = [heads, ["----"] * len(heads), *rows]
    return "\n".join("|" + "|".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + "|" for line in lines)


def macro(one):
    value = one.get("value", "")
    return one["macro"], one["description"], f"`{value}`" if value else ""


def item(one):
    formula = f"<p>**Formula**: `{one['params']}`</p>" if "params" in one else ""
    return one["name"], one["description"], TYPES[one.get("type", "ZABBIX_PASSIVE")], f"`{one['key']}`{formula}{steps(one)}"


def steps(one):
    """The preprocessing of a value."""
    lines = [step(each) for each in one.get("preprocessing", ())]
    return "<p>**Preprocessing**</p><ul>" + "".join(f"<li>{line}</li>" for line in lines) + "</ul>" if lines else ""


def step(each):
    kind = each["type"].replace("_", " ").capitalize().replace("Jsonpath", "JSON Path").replace("Javascript", "JavaScript")
    if each["type"] == "JAVASCRIPT":
        return f"{kind}: the script is in the file"
    said = ": ".join([kind, ", ".join(f"`{parameter}`" for parameter in each["parameters"] if parameter)]).removesuffix(": ")
    handler = HANDLERS.get(each.get("error_handler"), "").format(each.get("error_handler_params", ""))
    return said + (f"<br>On fail: {handler}" if handler else "")


def trigger(one):
    others = [f"<li>{other['name']}</li>" for other in one.get("dependencies", ())]
    more = "**Depends on**:<ul>" + "".join(others) + "</ul>" if others else ""
    if "recovery_expression" in one:
        more += f"<p>**Recovery**: `{one['recovery_expression']}`</p>"
    if "manual_close" in one:
        more += "<p>**Manual close**: Yes</p>"
    name = one.get("event_name", one["name"])
    return name, one["description"], f"`{one['expression']}`", one["priority"].capitalize(), more

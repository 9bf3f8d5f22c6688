"""The pieces of a template, as mappings with the member names of Zabbix's export. Every scalar is a text."""

GROUP = "Templates/Applications"
STATE, STATUS = "Service state", "TCP probe status"


def tag(name, value):
    return {"tag": name, "value": value}


def step(kind, *parameters, discard=False, otherwise=None):
    """A preprocessing step; when it fails: an error, nothing (`discard`), or this value (`otherwise`)."""
    made = {"type": kind}
    if parameters:
        made["parameters"] = list(parameters)
    if discard:
        made["error_handler"] = "DISCARD_VALUE"
    if otherwise is not None:
        made |= {"error_handler": "CUSTOM_VALUE", "error_handler_params": otherwise}
    return made


def path(jsonpath, **handler):
    return step("JSONPATH", jsonpath, **handler)


def heartbeat(period):
    return step("DISCARD_UNCHANGED_HEARTBEAT", period)


# What the program says when it was called wrongly is no document: it becomes the error of the item.
DOCUMENT_OR_ERROR = step("CHECK_REGEX_ERROR", r"^([^{][\s\S]*|)$", r"\1")


class Call:
    """How the program is started: an item type and the key. `words` are the parameters, each quoted.

    The first word is its identity: options may come and go without making it another item.
    """

    def __init__(self, kind, key, *words):
        self.kind = kind
        self.identity = f"{key}[{words[0]}]" if "#" not in words[0] else key
        self.key = key + "[" + ",".join(f'"{word}"' for word in words) + "]"


def raw(name, call, delay, description, *steps):
    """A master item: nothing of it is stored, its dependents are."""
    made = {"identity": call.identity, "name": name, "type": call.kind, "key": call.key, "delay": delay}
    made |= {"history": "0", "trends": "0", "value_type": "TEXT", "description": description}
    if steps:
        made["preprocessing"] = list(steps)
    return made | {"tags": [tag("component", "raw")]}


def dependent(name, key, master, description, *steps, value_type=None, units=None, valuemap=None, component="network"):
    """An item that takes its value from a master item; without a value type it holds whole numbers."""
    made = {"name": name, "type": "DEPENDENT", "key": key, "delay": "0", "description": description}
    if value_type in ("TEXT", "CHAR"):
        made["trends"] = "0"
    optional = {"value_type": value_type, "units": units, "valuemap": valuemap and {"name": valuemap}}
    made |= {name: value for name, value in optional.items() if value}
    made |= {"preprocessing": list(steps), "master_item": {"key": master}}
    return made | {"tags": [tag("component", component)]}


def macro(name, value, description):
    return {"macro": f"{{${name}}}", "value": value, "description": description}


def reference(trigger):
    """A trigger as a dependency names it."""
    return {member: trigger[member] for member in ("name", "expression", "recovery_expression") if member in trigger}


def trigger(identity, name, severity, expression, description, *, recovery=None, event=None, opdata=None, manual=None, after=(),
            scope="availability"):
    """A trigger; `identity` stays when it is worded anew, `after` are those whose problem keeps it from firing."""
    made = {"identity": identity, "name": name, "expression": expression, "priority": severity, "description": description}
    if recovery:
        made |= {"recovery_mode": "RECOVERY_EXPRESSION", "recovery_expression": recovery}
    optional = {"event_name": event, "opdata": opdata, "manual_close": manual and "YES"}
    made |= {name: value for name, value in optional.items() if value}
    if after:
        made["dependencies"] = [reference(other) for other in after]
    return made | {"tags": [tag("scope", scope)]}

"""The parts of a template, as mappings with the member names of Zabbix's export. Every scalar is a string."""

GROUP = "Templates/Applications"
STATE, STATUS = "Service state", "TCP probe status"


def tag(name, value):
    return {"tag": name, "value": value}


def step(kind, *parameters, discard=False, otherwise=None, error=None):
    """A preprocessing step; when it fails: its error, nothing (`discard`), this value (`otherwise`), or this `error`."""
    made = {"type": kind}
    if parameters:
        made["parameters"] = list(parameters)
    if discard:
        made["error_handler"] = "DISCARD_VALUE"
    if otherwise is not None:
        made |= {"error_handler": "CUSTOM_VALUE"} | ({"error_handler_params": otherwise} if otherwise else {})
    if error is not None:
        made |= {"error_handler": "CUSTOM_ERROR", "error_handler_params": error}
    return made


def path(jsonpath, **handler):
    return step("JSONPATH", jsonpath, **handler)


def heartbeat(period):
    return step("DISCARD_UNCHANGED_HEARTBEAT", period)


# An error message of the program is not a document: it becomes the error of the item.
DOCUMENT_OR_ERROR = step("CHECK_REGEX_ERROR", r"^([^{][\s\S]*|)$", r"\1")


class NotSupported(dict):
    """The step *Check for not supported value* with a value instead; its parameter depends on the release."""

    def __init__(self, otherwise):
        super().__init__(step("CHECK_NOT_SUPPORTED", "-1", otherwise=otherwise))


class Call:
    """How the program is started: an item type and the key. The `parameters` are quoted.

    The first parameter identifies the item, so that options can change and the uuid stays.
    """

    def __init__(self, kind, key, *parameters):
        self.kind = kind
        self.identity = f"{key}[{parameters[0]}]" if "#" not in parameters[0] else key
        self.key = key + "[" + ",".join(map(quoted, parameters)) + "]"


def quoted(parameter):
    """A parameter of a key. A macro with a context has quotes of its own, and is no text with commas."""
    return parameter if '"' in parameter else f'"{parameter}"'


def raw(name, call, delay, description, *steps):
    """A master item. It has no history; its dependent items have."""
    made = {"identity": call.identity, "name": name, "type": call.kind, "key": call.key, "delay": delay}
    made |= {"history": "0", "trends": "0", "value_type": "TEXT", "description": description}
    if steps:
        made["preprocessing"] = list(steps)
    return made | {"tags": [tag("component", "raw")]}


def dependent(name, key, master, description, *steps, value_type=None, units=None, valuemap=None, component="network"):
    """An item that takes its value from a master item; the default value type is Numeric (unsigned)."""
    made = {"name": name, "type": "DEPENDENT", "key": key, "delay": "0", "description": description}
    if value_type in ("TEXT", "CHAR"):
        made["trends"] = "0"
    optional = {"value_type": value_type, "units": units, "valuemap": valuemap and {"name": valuemap}}
    made |= {name: value for name, value in optional.items() if value}
    made |= {"preprocessing": list(steps), "master_item": {"key": master}}
    return made | {"tags": [tag("component", component)]}


def calculated(name, key, formula, description, otherwise, **kind):
    """A calculated item, `otherwise` its value as long as an item of the formula has none."""
    made = dependent(name, key, "", description, NotSupported(otherwise), **kind)
    del made["master_item"]
    return made | {"type": "CALCULATED", "delay": "30s", "params": formula}


def macro(name, value, description):
    return {"macro": f"{{${name}}}", "value": value, "description": description}


def undiscovered(prototypes):
    """The same, not discovered unless an override says so."""
    return [prototype | {"discover": "NO_DISCOVER"} for prototype in prototypes]


def reference(trigger):
    """A trigger as it is named in a dependency."""
    return {member: trigger[member] for member in ("name", "expression", "recovery_expression") if member in trigger}


def trigger(identity, name, severity, expression, description, *, recovery=None, event=None, opdata=None, manual=None, after=(),
            scope="availability"):
    """A trigger; `identity` stays when its name changes, `after` are the triggers that suppress it."""
    made = {"identity": identity, "name": name, "expression": expression, "priority": severity, "description": description}
    if recovery:
        made |= {"recovery_mode": "RECOVERY_EXPRESSION", "recovery_expression": recovery}
    optional = {"event_name": event, "opdata": opdata, "manual_close": manual and "YES"}
    made |= {name: value for name, value in optional.items() if value}
    if after:
        made["dependencies"] = [reference(other) for other in after]
    return made | {"tags": [tag("scope", scope)]}

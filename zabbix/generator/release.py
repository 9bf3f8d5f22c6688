"""One template as the file of one Zabbix release: uuids, the order of an export, and the features of a release."""

import copy

from .parts import GROUP, NotSupported, tag
from .statuses import value_maps
from .widgets import Widgets
from .yaml import Style

RELEASES = ("6.0", "7.0")
VENDOR = {"name": "zbx-tcp", "version": "7.0-1"}
# Members in the order of an export; members that are not listed come in between, in the order of their creation.
ORDER = (
    "uuid expression recovery_mode recovery_expression name event_name opdata type key delay history trends discover priority "
    "value_type units params filter lifetime enabled_lifetime_type description valuemap preprocessing"
).split()
MODERN_ORDER = " ".join(ORDER).replace("trends discover priority value_type", "value_type trends discover priority").split()
# Members that an export omits from a widget if they have these values.
DEFAULTS = {"name": "", "x": "0", "y": "0", "height": "2"}
LAST = "item_prototypes trigger_prototypes graph_prototypes master_item manual_close dependencies tags triggers".split()


class File:
    """The text of one template for one release."""

    def __init__(self, template, release, uuids):
        self.template, self.release, self.uuids = template, release, uuids
        self.modern = release != "6.0"
        # Triggers over several items, which an export has beside the template.
        self.shared = getattr(template, "triggers", list)()

    def text(self):
        groups = [{"uuid": self.uuids.of("template group Templates/Applications (as Zabbix itself ships it)"), "name": GROUP}]
        export = {"version": self.release, "template_groups" if self.modern else "groups": groups}
        export["templates"] = [self.body()]
        if self.shared:
            export["triggers"] = self.triggers(self.shared, "trigger")
        return Style(compact=self.modern).document({"zabbix_export": export})

    def body(self):
        template = self.template
        made = {
            "uuid": self.uuids.of(f"{template.name}: template"),
            "template": template.name,
            "name": template.name,
            "description": template.description,
        }
        if self.modern:
            made["vendor"] = VENDOR
        made["groups"] = [{"name": GROUP}]
        made["items"] = self.items(template.items(), "item")
        made["discovery_rules"] = [self.rule(template.rule())]
        made["tags"] = [tag("class", "network"), tag("target", "tcp")]
        made["macros"] = [self.macro(one) for one in sorted(template.macros(), key=lambda one: one["macro"].rstrip("}"))]
        made["dashboards"] = [self.dashboard()]
        made["valuemaps"] = self.value_maps()
        return made

    def named(self, kind, value):
        """The object with its uuid, members in order."""
        identity = value.pop("identity", value.get("key"))
        made = {"uuid": self.uuids.of(f"{self.template.name}: {kind} {identity}")} | value
        if made.get("type") == "ZABBIX_PASSIVE":
            del made["type"]
        return ordered(made, MODERN_ORDER if self.modern else ORDER)

    def items(self, items, kind):
        made = []
        for item in copy.deepcopy(items):
            for step in item.get("preprocessing", ()):
                if isinstance(step, NotSupported) and not self.modern:
                    step["parameters"] = [""]
            if "triggers" in item:
                item["triggers"] = self.triggers(item["triggers"], "trigger")
            made.append(self.named(kind, item))
        return by("key", made)

    def triggers(self, triggers, kind):
        made = [self.named(kind, trigger) for trigger in copy.deepcopy(triggers)]
        for one in made:
            if "dependencies" in one:
                one["dependencies"].sort(key=lambda other: other["name"])
        return by("name", made)

    def rule(self, rule):
        rule = copy.deepcopy(rule)
        rule["item_prototypes"] = self.items(rule["item_prototypes"], "item prototype")
        triggers = self.triggers(rule["trigger_prototypes"], "trigger prototype")
        # In an export, a trigger over a single item is a member of that item.
        rule["trigger_prototypes"] = [one for one in triggers if not attached(one, rule["item_prototypes"], self.template.items())]
        graphs = [self.named("graph prototype", graph) for graph in rule["graph_prototypes"]]
        for graph in graphs:
            graph |= {"discover": graph.pop("discover")} if "discover" in graph else {}
        rule["graph_prototypes"] = by("name", graphs)
        if self.modern and rule["lifetime"] == "0":
            # 7.0's default disables lost items at once and deletes them after a week. 6.0 would continue to probe them.
            del rule["lifetime"]
        elif self.modern:
            # Lost items have values until they are deleted, as in 6.0.
            rule["enabled_lifetime_type"] = "DISABLE_NEVER"
        made = self.named("discovery rule", rule)
        for member in ("preprocessing", "overrides"):
            if member in made:
                made[member] = made.pop(member)
        return made

    def macro(self, macro):
        """A default may depend on the release."""
        of_release = {name: value[self.release] if isinstance(value, dict) else value for name, value in macro.items()}
        return {name: value for name, value in of_release.items() if value}

    def dashboard(self):
        name = f"{self.template.name.partition(' by ')[0]}: Overview".replace("TCP service", "TCP services")
        pages = self.template.pages(Widgets(self.template.name, self.release))
        for page in pages:
            page["widgets"].sort(key=position if self.modern else title)
        for widget in (widget for page in pages for widget in page["widgets"]):
            for member in [member for member, value in DEFAULTS.items() if widget[member] == value]:
                del widget[member]
        return {"uuid": self.uuids.of(f"{self.template.name}: dashboard Overview"), "name": name, "pages": pages}

    def value_maps(self):
        maps = [
            {"uuid": self.uuids.of(f"{self.template.name}: value map {name}"), "name": name, "mappings": mappings}
            for name, mappings in value_maps().items()
        ]
        return by("name", maps)


def position(widget):
    """The key by which an export of 7.0 sorts widgets."""
    return int(widget["x"]), int(widget["y"])


def title(widget):
    """The key by which an export of 6.0 sorts widgets."""
    return widget["name"]


def by(member, objects):
    """In the order of an export."""
    return sorted(objects, key=lambda one: one[member])


def attached(trigger, prototypes, items):
    """Move a trigger to its item prototype if it uses no other item."""
    asked = trigger["expression"] + trigger.get("recovery_expression", "")
    used = [item for item in [*prototypes, *items] if any(f"/{item['key']}{end}" in asked for end in ",)")]
    if len(used) == 1:
        used[0].setdefault("trigger_prototypes", []).append(trigger)
    return len(used) == 1


def ordered(members, order):
    first = [name for name in order if name in members]
    last = [name for name in LAST if name in members]
    between = [name for name in members if name not in order and name not in LAST]
    return {name: members[name] for name in [*first, *between, *last]}
